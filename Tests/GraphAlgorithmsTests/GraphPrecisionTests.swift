import Construction
import GraphAlgorithms
import Testing

@Suite struct GraphPrecisionTests {
  /// Whatever is promised is exact; hard attention is exact at every size; λ = 3 is exact nowhere.
  @Test(arguments: [DataType.f32, .f64]) func whatIsPromisedIsExact(dataType: DataType) throws {
    for line in GraphPrecision.plan(quick: true) where line.dataType == dataType {
      let result = try GraphPrecision.measure(line)
      #expect(result.exactNodes ?? 0 >= result.promisedNodes ?? 0)
      if line.inverseTemperature == nil {
        #expect(result.exactNodes == line.sizes.last && result.promisedNodes == line.sizes.last)
      }
      var hot = line
      hot.inverseTemperature = 3
      let failure = try GraphPrecision.measure(hot)
      #expect(failure.exactNodes == nil && failure.promisedNodes == nil && failure.firstFailure?.nodes == 2)
    }
  }

  @Test func float32TablesHoldWhatIsPromised() {
    let tables = GraphPrecision.float32Tables()
    #expect(tables.promised == CircleCode.largestCount(.float32) && tables.measured >= tables.promised)
  }
}
