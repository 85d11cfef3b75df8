import Tensors
import Testing

struct ProcessMemoryTests {
  @Test func thePeakHoldsWhatWasHeld() {
    let before = ProcessMemory.peak
    #expect(before > 1 << 20)
    let numbers = Tensor(repeating: 1, [64 << 20])
    #expect(numbers.pointer[numbers.count - 1] == 1)
    #expect(ProcessMemory.peak >= 256 << 20 && ProcessMemory.peak >= before)
  }
}
