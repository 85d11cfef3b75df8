import TextFiles

/// What the assembler and the readers of images throw.
public typealias SourceError = TextFiles.SourceError
