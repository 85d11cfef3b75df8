// swift-tools-version: 6.1
import PackageDescription

// The server is left out unless it is asked for: what it needs is fetched and built for those alone who serve.
let serving = Context.environment["LOOPED_SERVING"] == "1"

let package = Package(
  name: "looped",
  platforms: [.macOS(.v14)],
  products: [
    .executable(name: "looped", targets: ["LoopedCommand"]),
    .library(name: "Tensors", targets: ["Tensors"]),
    .library(name: "Collectives", targets: ["Collectives"]),
    .library(name: "Gradients", targets: ["Gradients"]),
    .library(name: "Layers", targets: ["Layers"]),
    .library(name: "Looping", targets: ["Looping"]),
    .library(name: "Construction", targets: ["Construction"]),
    .library(name: "Machine", targets: ["Machine"]),
    .library(name: "GraphAlgorithms", targets: ["GraphAlgorithms"]),
    .library(name: "InContext", targets: ["InContext"]),
    .library(name: "Reporting", targets: ["Reporting"]),
    .library(name: "Tokenization", targets: ["Tokenization"]),
    .library(name: "LanguageModel", targets: ["LanguageModel"]),
    .library(name: "Pretraining", targets: ["Pretraining"]),
  ],
  traits: [
    .trait(name: "MPI", description: "Training on several machines, through Open MPI."),
    .default(enabledTraits: []),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .target(name: "TextFiles"),
    .target(name: "RecipeFiles", dependencies: ["TextFiles", .product(name: "Yams", package: "Yams")]),
    .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .target(name: "CKernels"),
    .target(
      name: "Tensors",
      dependencies: ["CKernels", .target(name: "COneDNN", condition: .when(platforms: [.linux]))]),
    .systemLibrary(
      name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"]), .brew(["open-mpi"])]),
    .target(
      name: "Collectives",
      dependencies: ["CKernels", .target(name: "CMPI", condition: .when(traits: ["MPI"]))]),
    .target(name: "Gradients", dependencies: ["CKernels", "Collectives", "Looping", "Tensors"]),
    .target(name: "Layers", dependencies: ["Gradients", "Looping", "Tensors"]),
    .target(
      name: "InContext",
      dependencies: [
        "Gradients", "Layers", "Looping", "RecipeFiles", "Tensors", "TextFiles",
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("Resources")]),
    .target(name: "Looping"),
    .target(name: "Reporting", dependencies: ["Looping"], resources: [.embedInCode("Resources")]),
    .target(
      name: "Construction", dependencies: ["Looping", "Tensors"],
      resources: [.embedInCode("Export/run_network.py")]),
    .target(
      name: "Machine", dependencies: ["Construction", "Looping", "TextFiles"],
      resources: [.embedInCode("Programs")]),
    .target(
      name: "GraphAlgorithms", dependencies: ["CZlib", "Construction", "Looping", "TextFiles"],
      resources: [.embedInCode("Resources")]),
    .target(name: "Tokenization", dependencies: ["TextFiles"]),
    .target(name: "LanguageModel", dependencies: ["CKernels", "Looping", "Tensors", "Tokenization"]),
    .target(
      name: "Pretraining",
      dependencies: [
        "CKernels", "Collectives", "Gradients", "LanguageModel", "Layers", "Looping", "RecipeFiles",
        "Tensors",
        "TextFiles", "Tokenization", .product(name: "Yams", package: "Yams"),
      ]),
    .target(name: "Downloading"),
    .target(
      name: "CommandSupport",
      dependencies: [
        "LanguageModel", "Reporting", "Tensors", "Tokenization",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "LoopedCommand",
      dependencies: [
        "Collectives", "CommandSupport", "Downloading", "GraphAlgorithms", "InContext", "Gradients",
        "LanguageModel", "Machine", "Pretraining", "RecipeFiles", "Reporting", "Tensors", "Tokenization",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "TrainingProbe",
      dependencies: [
        "CKernels", "Collectives", "Gradients", "LanguageModel", "Layers", "Pretraining", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport"),
    .testTarget(name: "TensorsTests", dependencies: ["CKernels", "Tensors", "TestSupport"]),
    .testTarget(name: "CollectivesTests", dependencies: ["Collectives"]),
    .testTarget(
      name: "GradientsTests", dependencies: ["CKernels", "Collectives", "Gradients", "Layers", "Tensors"]),
    .testTarget(
      name: "InContextTests",
      dependencies: ["Gradients", "InContext", "Layers", "RecipeFiles", "Tensors", "TextFiles"]),
    .testTarget(name: "RecipeFilesTests", dependencies: ["RecipeFiles", "TextFiles"]),
    .testTarget(name: "LoopingTests", dependencies: ["Looping"]),
    .testTarget(name: "ReportingTests", dependencies: ["Looping", "Reporting"]),
    .testTarget(name: "ConstructionTests", dependencies: ["Construction"]),
    .testTarget(name: "MachineTests", dependencies: ["Machine", "Tensors"]),
    .testTarget(name: "GraphAlgorithmsTests", dependencies: ["GraphAlgorithms", "TextFiles"]),
    .testTarget(name: "GraphSubleqTests", dependencies: ["GraphAlgorithms", "Machine"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization"]),
    .testTarget(
      name: "LanguageModelTests",
      dependencies: ["CKernels", "LanguageModel", "Tensors", "TestSupport", "Tokenization"]),
    .testTarget(
      name: "PretrainingTests",
      dependencies: [
        "CKernels", "Collectives", "Gradients", "LanguageModel", "Layers", "Pretraining", "RecipeFiles",
        "Tensors", "TextFiles", "Tokenization",
      ]),
    .testTarget(name: "DownloadingTests", dependencies: ["Downloading"]),
    .testTarget(name: "TinyTests", dependencies: ["LoopedCommand"]),
  ],
  swiftLanguageModes: [.v6]
)

// Using the modules: a short program for each family.
package.targets += [
  .example("Machine", dependencies: ["Construction", "Machine"]),
  .example("Graphs", dependencies: ["GraphAlgorithms"]),
  .example("Learner", dependencies: ["InContext"]),
  .example("Writer", dependencies: ["LanguageModel"]),
  .example("Pretraining", dependencies: ["Pretraining"]),
]

extension Target {
  static func example(_ name: String, dependencies: [Dependency]) -> Target {
    .executableTarget(name: name + "Example", dependencies: dependencies, path: "Examples/Programs/" + name)
  }
}

if serving {
  package.products += [
    .executable(name: "looped-serve", targets: ["LoopedServeCommand"]),
    .library(name: "Serving", targets: ["Serving"]),
  ]
  package.dependencies += [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ]
  package.targets += [
    .target(
      name: "Serving",
      dependencies: [
        "Construction", "Gradients", "GraphAlgorithms", "InContext", "LanguageModel", "Layers", "Looping",
        "Machine",
        "Reporting", "Tensors", "TextFiles", "Tokenization",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      resources: [.embedInCode("OpenAPI/openapi.json"), .embedInCode("Resources")]),
    .executableTarget(
      name: "LoopedServeCommand",
      dependencies: [
        "CommandSupport", "LanguageModel", "Serving", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "GraphAlgorithms", "InContext", "LanguageModel", "Looping", "Machine", "Serving", "Tensors",
        "Tokenization", .product(name: "Logging", package: "swift-log"),
      ]),
  ]
}
