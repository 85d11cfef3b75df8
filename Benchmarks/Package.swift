// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "benchmarks",
  platforms: [.macOS(.v14)],
  dependencies: [.package(name: "looped", path: "..")],
  targets: [
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        .product(name: "Construction", package: "looped"),
        .product(name: "Gradients", package: "looped"),
        .product(name: "GraphAlgorithms", package: "looped"),
        .product(name: "LanguageModel", package: "looped"),
        .product(name: "Layers", package: "looped"),
        .product(name: "Looping", package: "looped"),
        .product(name: "Machine", package: "looped"),
        .product(name: "Pretraining", package: "looped"),
        .product(name: "Reporting", package: "looped"),
        .product(name: "Tensors", package: "looped"),
        .product(name: "Tokenization", package: "looped"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
