import ArgumentParser
import CommandSupport
import Downloading
import Foundation
import Reporting

struct PullCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Fetch a model's folder from a Hugging Face compatible server.",
    discussion: """
      Goes on where it was cut, and checks every file's length and SHA-256. The token of HF_TOKEN, or of --token-file, is \
      sent to the server alone, never to where it redirects.

        looped pull https://host/owner/name
        looped pull https://host/owner/name --revision dev --to models/name
      """)

  @Argument(help: ArgumentHelp("The model's address.", valueName: "url"))
  var address: String

  @Option(help: ArgumentHelp("The folder; the model's name without it.", valueName: "folder"))
  var to: String?

  @Option(help: ArgumentHelp("A branch, tag or commit.", valueName: "name"))
  var revision: String?

  @Option(help: ArgumentHelp("A file that holds the token.", valueName: "file"))
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Also files whose names end so, such as .gguf; may be given again.", valueName: "ending"))
  var include: [String] = []

  func run() throws {
    let repository = try RemoteRepository(address, revision: revision)
    let name = repository.name.split(separator: "/").last.map(String.init) ?? "model"
    var download = ModelDownload(repository, to: to ?? name, token: try token())
    download.endings += include
    var bar = ProgressBar(total: 1000, what: "‰")
    let files = try download.run { done, total in bar.update(Int(1000 * Double(done) / Double(max(total, 1))))
    }
    bar.finish()
    let megabytes = Double(files.reduce(0) { $0 + $1.size }) / 1e6
    print("\(download.folder): \(files.count) files, \(String(format: "%.1f", megabytes)) MB")
  }

  private func token() throws -> String? {
    if let tokenFile {
      guard let data = FileManager.default.contents(atPath: tokenFile), data.count < 4096 else {
        throw CommandError("\(tokenFile) cannot be read")
      }
      return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return ProcessInfo.processInfo.environment["HF_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension DownloadError: ReportedError {}
