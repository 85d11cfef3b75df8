/// A graph that comes with looped.
public enum GraphLibrary {
  /// The roads of a small town: Examples/town.gr, in the DIMACS format.
  public static var town: [UInt8] { PackageResources.town_gr }
}
