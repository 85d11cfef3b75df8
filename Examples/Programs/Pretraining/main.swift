// A looped language model from nothing: vocabulary, training, and what it writes. The text is this project's licence.
import Foundation
import Pretraining

let folder = FileManager.default.temporaryDirectory.appendingPathComponent("looped-\(UUID().uuidString)").path
defer { try? FileManager.default.removeItem(atPath: folder) }

var recipe = PretrainingRecipe()
recipe.text = CommandLine.arguments.dropFirst().first ?? "LICENSE"
(recipe.vocabulary, recipe.heldOutEvery) = (320, 0)
(recipe.width, recipe.heads, recipe.layers) = (64, 4, 2)
(recipe.steps, recipe.batch, recipe.sequence) = (80, 4, 64)
(recipe.rate, recipe.warmup) = (4e-3, 10)

let run = try PretrainingRun(recipe, folder: folder)
while !run.isDone {
  let entry = try run.step()
  guard entry.step % 40 == 0 else { continue }
  // The loss has a part for each of the four loops: what the model would lose if it stopped there.
  let losses = entry.values.filter { $0.name.hasPrefix("loss_") }.map { String(format: "%.2f", $0.value) }
  print("step \(entry.step): loss by loop \(losses.joined(separator: " "))")
}
try run.export(to: folder + "/model")
print(
  "exported:",
  try FileManager.default.contentsOfDirectory(atPath: folder + "/model").sorted().joined(separator: " "))
