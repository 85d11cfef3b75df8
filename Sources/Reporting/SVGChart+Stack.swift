/// A picture that can stand below others in one SVG text.
public protocol StackedPicture {
  /// In units of the picture's own view box.
  var extent: (width: Double, height: Double) { get }
  /// The picture as a whole SVG text.
  var text: String { get }
}

extension SVGChart: StackedPicture {
  public var extent: (width: Double, height: Double) { size }

  /// Several charts below each other as one SVG text.
  public static func stack(_ pictures: [any StackedPicture]) -> String {
    let width = Int(pictures.map(\.extent.width).max() ?? 0)
    var y = 0.0
    var body = ""
    for picture in pictures {
      let (width, height) = picture.extent
      body +=
        "<svg y=\"\(Int(y))\" width=\"\(Int(width))\" height=\"\(Int(height))\" "
        + picture.text.dropFirst("<svg ".count) + "\n"
      y += height.rounded(.up)
    }
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(Int(y))\">\n\(body)</svg>\n"
  }
}

extension SVGHeatMap: StackedPicture {
  public var extent: (width: Double, height: Double) { size }
}
