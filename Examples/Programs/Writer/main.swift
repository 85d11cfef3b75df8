// A looped language model: every token passes the same layers up to four times, and may leave earlier.
import LanguageModel

let folder = CommandLine.arguments.dropFirst().first ?? "Models/king-james-bible"
let loaded = try ModelFiles.load(folder)
let (model, tokenizer) = (loaded.model, loaded.tokenizer)
let executor = LoopExecutor(model)
let prompt = tokenizer.encode("And the LORD said unto")

for (name, policy) in [("all loops", ExitPolicy.fixed()), ("exit gate at 0.5", .threshold(0.5))] {
  let generator = try Generator(
    executor, cache: KVCache(model.configuration), prompt: prompt,
    settings: GenerationSettings(
      sampling: SamplingSettings(temperature: 0.7, topP: 0.9, seed: 3), exit: policy, skippedLoops: .compute,
      maximumTokens: 24, endTokens: []),
    bytes: tokenizer.bytes(of:))
  var (text, loops) = ("", 0)
  while let token = try generator.next() {
    text += token.text
    loops += token.loops
  }
  print("\(name), \(loops) loops for \(generator.tokens.count) tokens:\(text)\(generator.rest)")
}
