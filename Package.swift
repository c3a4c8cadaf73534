// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is compiled alike: Swift 6 mode, and in CI a warning is an error.
let settings: [SwiftSetting] =
  [
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let package = Package(
  name: "code-interpreter",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    // Without pkg-config, which for libzmq answers with flags of libraries behind it that SwiftPM warns of.
    .systemLibrary(name: "CZMQ", providers: [.apt(["libzmq3-dev"])]),
    .target(name: "Memory", swiftSettings: settings),
    .target(
      name: "Loop",
      dependencies: [
        "CUV", "COpenSSL", "CZMQ", "Memory", .product(name: "DequeModule", package: "swift-collections"),
      ],
      swiftSettings: settings),
    .target(name: "Wire", dependencies: ["Memory"], swiftSettings: settings),
    .target(
      name: "Jupyter",
      dependencies: [
        "Loop", "Wire", "Memory",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .target(
      name: "Server",
      dependencies: [
        "Jupyter", "Loop", "Wire", "Memory",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "OrderedCollections", package: "swift-collections"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "code-interpreter",
      dependencies: [
        "Server", "Jupyter", "Loop", "Wire", "Memory",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .target(
      name: "TestLoop", dependencies: ["Loop", "Memory"], path: "Tests/TestLoop", swiftSettings: settings),
    .testTarget(name: "MemoryTests", dependencies: ["Memory"], swiftSettings: settings),
    .testTarget(name: "LoopTests", dependencies: ["TestLoop", "Loop", "Memory"], swiftSettings: settings),
    .testTarget(name: "WireTests", dependencies: ["TestLoop", "Wire", "Memory"], swiftSettings: settings),
    .testTarget(
      name: "JupyterTests",
      dependencies: [
        "TestLoop", "Jupyter", "Loop", "Wire", "Memory", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ServerTests", dependencies: ["TestLoop", "Server", "Jupyter", "Wire", "Memory"],
      swiftSettings: settings),
  ]
)
