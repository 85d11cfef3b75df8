import Testing
import Tokenization

@Suite struct TokenizerTests {
}
