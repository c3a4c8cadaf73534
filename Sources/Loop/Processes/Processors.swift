import CUV

/// The processors that this process may use.
public enum Processors {
  /// How many there are; at least 1.
  public static var count: Int { max(1, Int(uv_available_parallelism())) }
}
