import Foundation
import Testing

@testable import Serving

/// The page's files: everything is there, and nothing from elsewhere.
@Suite struct PageAssetTests {
  private static func text(_ path: String) throws -> String {
    String(decoding: try #require(PageAsset.all.first { $0.path == path }).bytes, as: UTF8.self)
  }

  @Test func everyFileIsServedAndAskedFor() throws {
    let page = try Self.text("")
    let named = page.matches(of: /(?:src|href)="([^"#]+)"/).map { String($0.1) }
    #expect(Set(named) == Set(PageAsset.all.map(\.path).filter { !$0.isEmpty }))
    for asset in PageAsset.all { #expect(asset.bytes.count > 300, "\(asset.path)") }
  }

  @Test func nothingIsInlineAndNothingComesFromElsewhere() throws {
    let page = try Self.text("")
    #expect(page.firstMatch(of: /<script(?![^>]*src=)/) == nil && !page.contains("<style"))
    #expect(page.firstMatch(of: /\s(?:style|on[a-z]+)=/) == nil)
    for asset in PageAsset.all {
      let text = String(decoding: asset.bytes, as: UTF8.self).replacing(
        "http://www.w3.org/2000/svg", with: "")
      #expect(text.firstMatch(of: /https?:|\/\/[a-z]+\.[a-z]+/) == nil, "\(asset.path)")
      // What would make a page of a text.
      #expect(text.firstMatch(of: /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/) == nil)
    }
    let policy = try #require(PageAsset.headers.first { $0.name == "Content-Security-Policy" }).value
    #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("unsafe"))
  }

  @Test func everyControlHasAName() throws {
    let page = try Self.text("")
    let labelled = Set(page.matches(of: /for="([a-z-]+)"/).map { String($0.1) })
    // Fields are inside a label, named by one, or hidden.
    for match in page.matches(
      of: /<(input|select|textarea) [^>]*?id="([a-z-]+)"|<(input|select|textarea) id="([a-z-]+)"/)
    {
      let id = String(match.2 ?? match.4 ?? "")
      let before = page[..<match.range.lowerBound]
      let isInside =
        (before.range(of: "<label", options: .backwards)?.lowerBound ?? page.startIndex)
        > (before.range(of: "</label>", options: .backwards)?.lowerBound ?? page.startIndex)
      let element = page[match.range.lowerBound...].prefix { $0 != ">" }
      #expect(isInside || labelled.contains(id) || element.contains("hidden"), "\(id)")
    }
    for match in page.matches(of: /id="([a-z-]+)"/) {
      #expect(page.components(separatedBy: "id=\"\(match.1)\"").count == 2, "\(match.1)")
    }
    // What the scripts look for is there.
    for asset in PageAsset.all where asset.path.hasSuffix(".js") && asset.path != "viewer.js" {
      for match in String(decoding: asset.bytes, as: UTF8.self).matches(of: /\$\("([a-z-]+)"\)/) {
        #expect(page.contains("id=\"\(match.1)\""), "\(asset.path): \(match.1)")
      }
    }
  }

  @Test func examplesAreRunnable() throws {
    let examples = try PageExamples(PageLearner())
    #expect(examples.programs.count > 10 && examples.algorithms.count == 9)
    for example in examples.graphs {
      let answer = try GraphRequest(
        algorithm: example.algorithm, graph: example.graph, source: example.source
      ).run()
      #expect(answer.end.halt == "finished" && answer.loops > 1, "\(example.name)")
    }
  }

  @Test func workIsRefusedWhenThereIsTooMuch() async throws {
    let work = PageWork(waiting: 1)
    #expect(try await work.run { 7 } == 7)
    let gate = DispatchSemaphore(value: 0)
    let (started, signal) = AsyncStream.makeStream(of: Void.self)
    async let first = work.run {
      signal.finish()
      gate.wait()
      return 1
    }
    for await _ in started {}
    await #expect(throws: PageBusy.self) { try await work.run { 2 } }
    gate.signal()
    #expect(try await first == 1)
    struct Fault: Error {}
    await #expect(throws: Fault.self) { try await work.run { throw Fault() } }
    #expect(try await work.run { 8 } == 8)
  }
}
