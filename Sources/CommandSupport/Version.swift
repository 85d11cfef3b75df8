/// Of the commands, and of the archives that Scripts/release makes. CHANGELOG.md says what came with it.
public let loopedVersion = "0.1.0"
