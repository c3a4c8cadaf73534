import CUV
import Glibc

/// This process.
public enum CurrentProcess {
  /// Its process identifier (getpid(2)).
  public static var identifier: Int32 { getpid() }

  /// The number of processors that it may use; at least 1.
  public static var processorCount: Int { max(1, Int(uv_available_parallelism())) }
}
