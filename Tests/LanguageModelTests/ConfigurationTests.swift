import LanguageModel
import Testing

@Suite struct ConfigurationTests {
  @Test func parametersOfThePublishedModels() {
    // The published checkpoints: 1.4B and 2.6B.
    #expect(ModelConfiguration.ouro().parameterCount == 1_434_652_673)
    #expect(ModelConfiguration.ouro(layers: 48).parameterCount == 2_667_974_657)
  }
}
