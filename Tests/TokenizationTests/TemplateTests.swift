import Foundation
import Testing

@testable import Tokenization

@Suite struct TemplateTests {
  private func render(_ source: String, _ variables: [String: TemplateValue] = [:]) throws -> String {
    try ChatTemplate(source).render(variables)
  }

  private func failure(_ source: String, _ variables: [String: TemplateValue] = [:]) -> TemplateError? {
    do {
      _ = try render(source, variables)
      return nil
    } catch { return error as? TemplateError }
  }

  @Test func chatML() throws {
    let messages = [
      ChatMessage(role: "user", content: "Hi"), ChatMessage(role: "assistant", content: "Hello"),
    ]
    #expect(
      try ChatTemplate.chatML.render(messages: messages, addGenerationPrompt: true)
        == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>assistant\n")
    #expect(
      try ChatTemplate.chatML.render(messages: [messages[0]], addGenerationPrompt: false)
        == "<|im_start|>user\nHi<|im_end|>\n")
  }

  /// Each expectation is what jinja2 3.1.6 gives.
  @Test(arguments: [
    ("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"),
    ("{%- if true -%}  x  {%- endif %}\n", "x"),
    (" {%+ if true %}y{% endif +%}\nz", " y\nz"),
    ("{# c #}\na{#- d -#} b", "ab"),
    ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ("{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 1 + 1.5 }}", "3 -4 2 3.5 8 2.5"),
    ("{{ 'a' ~ 1 ~ none ~ true }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "a1NoneTrue abab [1, 2]"),
    (
      "{{ 'abc'[1:] }} {{ 'abc'[::-1] }} {{ [1,2,3][-1] }} {{ (1,) }} {{ {'a': 'x\\'y'} }}",
      "bc cba 3 (1,) {'a': \"x'y\"}"
    ),
    (
      "{% for x in [1,2,3] if x != 2 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}",
      "1/2:1,2/2:3"
    ),
    ("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% else %}none{% endfor %}", "a=1;b=2;"),
    (
      "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
      "6"
    ),
    ("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"),
    ("{% macro m(a, b='B') %}<{{ a }}{{ b }}>{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}", "<1B><12>"),
    (
      "{{ [{'r': 'u', 'n': 1}, {'r': 'a'}] | selectattr('r', 'equalto', 'u') | map(attribute='n') | list }}",
      "[1]"
    ),
    ("{{ {'b': [1, 2.0, none, true], 'a': 'é<'} | tojson }}", #"{"b": [1, 2.0, null, true], "a": "é<"}"#),
    ("{{ [1, {'a': 2}] | tojson(indent=2) }}", "[\n  1,\n  {\n    \"a\": 2\n  }\n]"),
    (
      "{{ x is defined }} {{ x | default('d') }} {{ none is none }} {{ 3 is odd }} {{ 'a' in 'cab' }}",
      "False d True True True"
    ),
    (
      "{{ ' a b '.strip().split(' ') }} {{ 'a-b-c'.replace('-', '+', 1) }} {{ 'Ab'.startswith(('x', 'A')) }}",
      "['a', 'b'] a+b-c True"
    ),
    (
      "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
      "02"
    ),
    ("{% generation %}a{% endgeneration %}", "a"),
    ("{{ 1 if false }}{{ 1.0 }} {{ 1e16 }} {{ 0.0001 }} {{ 1.5e-7 }}", "1.0 1e+16 0.0001 1.5e-07"),
    ("{{ 1 < 2 < 3 }} {{ not true or true }} {{ 1 == 1.0 }} {{ 'a' < 'b' }}", "True True True True"),
  ]) func equalsJinja(_ source: String, _ expected: String) throws {
    #expect(try render(source) == expected)
  }

  @Test func errorsNameLineAndRemedy() {
    let cases: [(String, Int, String)] = [
      ("a\n{{ x|frobnicate }}", 2, "no filter \"frobnicate\""), ("{% if x %}", 1, "not closed"),
      ("\n\n{% endfor %}", 3, "closes nothing"), ("{{ 1 is funny }}", 1, "no test"),
      ("{{ x", 1, "never ends"),
      ("{{ missing.role }}", 1, "undefined"), ("{{ missing + 'a' }}", 1, "undefined"),
      ("{{ f(1) }}", 1, "no function"),
      ("{% include 'x' %}", 1, "not supported"), ("{{ 'a' + 1 }}", 1, "not possible"),
      ("{{ 1 // 0 }}", 1, "zero"),
      ("{{ [1](2) }}", 1, "no function"), ("{% set a.b = 1 %}", 1, "namespace"),
      ("{{ {1: 2 }}", 1, "closes nothing"),
      ("{{ 'a", 1, "never ends"), ("{% for x in 3 %}{% endfor %}", 1, "gone over"),
      ("{{ 9999999999999999999 }}", 1, "too large"),
      ("{{ 9223372036854775807 + 1 }}", 1, "too large"), ("{{ x|tojson }}", 1, "no JSON"),
      ("{% break %}", 1, "no loop"),
      ("{# x", 1, "never ends"), ("{% raw %}", 1, "never ends"), ("{{ }}", 1, "value is expected"),
      ("{{ a b }}", 1, "expected"),
      ("{% set x, y = [1] %}", 1, "given to"), ("{{ 'x'.append(1) }}", 1, "append"),
      ("{{ ]", 1, "closes nothing"),
    ]
    for (source, line, message) in cases {
      let error = failure(source)
      #expect(
        error?.line == line && error?.message.contains(message) ?? false,
        "\(source): \(error?.description ?? "no error")")
    }
    let refused = failure("\n{{ raise_exception('roles must alternate') }}")
    #expect(
      refused?.isRaisedByTemplate == true && refused?.message == "roles must alternate" && refused?.line == 2)
  }

  @Test func hostileTemplatesEnd() {
    let nested = String(repeating: "(", count: 5000)
    let hostile = [
      "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'a' * 999999999999 }}", "{{ range(99999999) }}",
      "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "{{ ('a' * 100000).replace('', 'b' * 100000) }}", "{{ \(nested) }}",
      "{{ " + String(repeating: "[", count: 5000),
      "{{ " + String(repeating: "not ", count: 5000) + nested,
      "{{ 1" + String(repeating: " + 1", count: 5000) + " }}",
      String(repeating: "{% if 1 %}", count: 5000), "{{ x" + String(repeating: ".a", count: 5000) + " }}",
      "{{ x" + String(repeating: "|upper", count: 5000) + " }}",
      "{{ " + String(repeating: "-", count: 5000) + "1 }}",
      "{{ " + String(repeating: "{1:", count: 5000),
      "{% for x in [[1]] recursive %}{{ loop(x) }}{{ loop([x]) }}{% endfor %}",
      "{{ ['a' * 1000000] * 100000 | join }}", "{% set " + String(repeating: "(", count: 5000),
    ]
    for source in hostile {
      #expect(failure(source, ["x": "y"]) != nil, "\(source.prefix(80))")
    }
  }

  /// Templates with parts torn out and put elsewhere: an error or a text. LOOPED_FUZZ_SECONDS makes it longer.
  @Test func changedTemplates() {
    let limit = ProcessInfo.processInfo.environment["LOOPED_FUZZ_SECONDS"].flatMap { Double($0) }
    let end = Date().addingTimeInterval(limit ?? 1)
    let parts = [
      "{% for m in messages %}", "{{ m['role'] + '\\n' }}", "{% if loop.first and m.role != 'user' %}",
      "{% else %}", "{% endif %}",
      "{% endfor %}", "{{ m.content | trim ~ x[1:] }}", "{% set ns = namespace(a=[]) %}",
      "{% set ns.a = ns.a + [m] %}", "{%- raw -%}",
      "{% endraw %}", "{# c #}", "{% macro f(a, b=1) %}", "{% endmacro %}", "{{ f(1, b=f) }}",
      "{{ messages|map(attribute='role')|join }}",
      "{{", "}}", "{%", "%}", "|", "(", ")", "[", "]", "'", "\n", " ", "is defined", "not",
      "{{ messages | tojson(indent=2) }}", "é",
    ]
    var isTried = false
    while Date() < end || !isTried {
      isTried = true
      let source = (0..<Int.random(in: 1...14)).map { _ in parts.randomElement()! }.joined()
      let messages = [
        ChatMessage(role: "user", content: " a "), ChatMessage(role: "assistant", content: "b"),
      ]
      _ = try? ChatTemplate(source).render(
        messages: messages, addGenerationPrompt: true, variables: ["x": "abc"])
    }
  }

  @Test func configurationFiles() throws {
    let json = """
      {"add_bos_token": false, "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null,
       "added_tokens_decoder": {"0": {"content": "x"}}, "chat_template": [{"name": "default", "template": "{{ bos_token }}"},
       {"name": "tool_use", "template": "t"}]}
      """
    let configuration = try TokenizerConfiguration(json: Array(json.utf8), file: "tokenizer_config.json")
    #expect(
      configuration.specialTokens == ["bos_token": "<s>", "eos_token": "</s>"]
        && configuration.addsBeginning == false)
    #expect(configuration.namedTemplates["tool_use"] == "t")
    let template = try ChatTemplate(#require(configuration.chatTemplate))
    #expect(
      try template.render(messages: [], addGenerationPrompt: false, variables: configuration.variables)
        == "<s>")
    #expect(throws: TokenizerError.self) {
      try TokenizerConfiguration(json: Array("{\"eos_token\":{}}".utf8), file: "x")
    }
  }
}
