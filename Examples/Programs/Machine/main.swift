// A program on a looped transformer: one loop of the network is one instruction.
import Construction
import Machine

// `a b c` is: mem[b] -= mem[a]; if the result is ≤ 0, go to c. The address -1 is the terminal.
let source = """
  loop:  star (-1)          # write a character
         one count halt     # count -= 1; to halt at 0
         Z Z loop           # always jumps, as Z - Z = 0
  halt:  newline (-1)
         Z Z (-1)
  . Z: 0  one: 1  count: 5  star: 42  newline: 10
  """
let image = try SubleqAssembler.assemble(Array(source.utf8), file: "stars.asq")
let network = try UnifiedSubleqNetwork(cells: image.words.count, dialect: SubleqDialect(wordBits: 16))

// The weights are constants: the program lies in the columns of the state, beside its data.
var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
var text: [UInt8] = []
let (instructions, end) = try machine.run(limit: 1_000, write: { text.append($0) })
print(String(decoding: text, as: UTF8.self), terminator: "")
print(
  "\(network.network.layers.count) layers of width \(network.network.width), \(instructions) loops, \(end)")

// The plain interpreter ends with the same memory.
var interpreter = try SubleqInterpreter(image, cells: image.words.count, dialect: network.dialect)
while try interpreter.step(read: { nil }) != nil {}
print("memory as the interpreter leaves it:", machine.memory == interpreter.memory.map { $0 })
