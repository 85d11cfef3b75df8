/// A program for the SUBLEQ machine of Giannou et al. 2023 (section 4): instructions and data live apart, so that a
/// program cannot modify itself.
///
/// `a b c` means data[b] ← data[b] − data[a] in two's complement; if the result is ≤ 0, the next instruction is
/// number c, else the following one. There is no device. A program ends with an instruction that jumps to itself and
/// changes nothing: a fixed point of the network.
public struct SeparateProgram: Equatable, Sendable {
  public struct Instruction: Equatable, Sendable {
    /// Data cell that is subtracted.
    public var a: Int
    /// Data cell that is subtracted from.
    public var b: Int
    /// Number of the instruction to go to, counted from 0.
    public var c: Int

    public init(a: Int, b: Int, c: Int) {
      self.a = a
      self.b = b
      self.c = c
    }
  }

  public var instructions: [Instruction]
  public var data: [Int]

  public init(instructions: [Instruction], data: [Int]) {
    self.instructions = instructions
    self.data = data
  }
}
