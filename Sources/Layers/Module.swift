import Gradients
import Tensors

/// A part of a model: its parameters are its stored properties, and those of the modules it holds.
///
/// ```swift
/// struct Head: Module {
///   let norm: LayerNorm
///   let output: Linear
///   func callAsFunction(_ x: Variable) -> Variable { output(norm(x)) }
/// }
/// ```
///
/// The names of a state dict follow from the names of the properties: `norm.gain`, `output.weight`; elements of an
/// array are named by their index, `blocks.0.attention.qkv.weight`.
public protocol Module {}

extension Module {
  /// Every parameter with its name, in the order of the properties; a parameter held twice appears once, under its
  /// first name. Sets `Parameter.name`.
  ///
  /// Complexity: reflection over the whole model; to be called once, not per step.
  public func namedParameters() -> [(name: String, parameter: Parameter)] {
    var found: [(String, Parameter)] = []
    var seen: Set<ObjectIdentifier> = []
    collect(from: self, prefix: "", into: &found, seen: &seen)
    for (name, parameter) in found { parameter.name = name }
    return found
  }

  /// Every parameter, named.
  public var parameters: [Parameter] { namedParameters().map(\.parameter) }

  /// The number of learned numbers.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.value.count } }
}

private func collect(
  from value: Any, prefix: String, into found: inout [(String, Parameter)], seen: inout Set<ObjectIdentifier>
) {
  var mirror: Mirror? = Mirror(reflecting: value)
  var properties: [Mirror.Child] = []
  var levels: [[Mirror.Child]] = []
  while let level = mirror {
    levels.append(Array(level.children))
    mirror = level.superclassMirror
  }
  for level in levels.reversed() { properties += level }
  for (label, property) in properties {
    let name = prefix + (label ?? "")
    if let parameter = property as? Parameter {
      if seen.insert(ObjectIdentifier(parameter)).inserted { found.append((name, parameter)) }
    } else if let module = property as? any Module {
      collect(from: module, prefix: name + ".", into: &found, seen: &seen)
    } else if let modules = property as? [any Module] {
      for (index, module) in modules.enumerated() {
        collect(from: module, prefix: "\(name).\(index).", into: &found, seen: &seen)
      }
    }
  }
}
