// Learning to learn: a looped network is trained, in seconds, to fit the points in its prompt.
import Foundation
import InContext

var recipe = Recipe()
(recipe.dimension, recipe.points) = (2, 7)
(recipe.width, recipe.heads, recipe.layers) = (32, 4, 1)
(recipe.loops, recipe.window) = (8, 5)
(recipe.steps, recipe.rate, recipe.schedule) = (1500, 1e-2, .cosine)
(recipe.warmup, recipe.floor, recipe.clipping) = (100, 1e-4, 1)
// One dimension first, so that there is less to find out at once.
(recipe.startDimension, recipe.dimensionInterval) = (1, 400)
recipe.baselines = ["least-squares"]

let run = TrainingRun(recipe)
while !run.isDone {
  let entry = try run.step()
  if entry.step % 500 == 0 { print(String(format: "step %d: loss %.2f", entry.step, run.smoothedLoss)) }
}

// New functions, which nobody has seen: the error over that of saying 0, by the number of points in the prompt.
var evaluator = Evaluator(run)
(evaluator.prompts, evaluator.shifts) = (1024, [])
guard let evaluation = evaluator.evaluate() else { fatalError("nobody interrupts this") }
for curve in evaluation.parts[0].curves {
  let errors = curve.mean.map { String(format: "%.2f", $0 ?? .nan) }.joined(separator: "  ")
  print(curve.name.padding(toLength: 16, withPad: " ", startingAt: 0), errors)
}
