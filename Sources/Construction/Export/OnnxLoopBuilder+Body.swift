import Tensors

extension OnnxLoopBuilder {
  mutating func buildBody() {
    let stateShape: [OnnxGraph.Extent] = [.fixed(columns), .fixed(width)]
    let device = decoding.device
    body.inputs = [
      .init("loop", .int64), .init("runs.in", .bool), .init("state.in", export.elementType, stateShape),
      .init("loops.in", .int64),
    ]
    if device != nil { body.inputs.append(.init("read.in", .int64)) }

    var state = "state.in"
    for (index, layer) in export.network.layers.enumerated() {
      state = add(layer, index, to: state)
      if let device, device.layer == index { state = exchange(device, state) }
    }
    body.add("Identity", [state], to: "state.out")
    body.add("Add", ["loops.in", number(1)], to: "loops.out")

    body.add("Sub", ["state.out", "state.in"], to: "change")
    body.add("Abs", ["change"], to: "change.size")
    body.add("ReduceMax", ["change.size"], to: "change.largest", [("keepdims", .integer(0))])
    var goesOn = body.add("Greater", ["change.largest", scalar("zero", 0)], to: "has_changed")
    if device != nil {
      let moved = body.add("Or", ["device.reads", "device.writes"], to: "has_moved")
      goesOn = body.add("Or", [goesOn, moved], to: "is_no_fixed_point")
    }
    if let settling = decoding.settling {
      let isMoving = isMoving(settling)
      goesOn = body.add("And", [goesOn, isMoving], to: "has_not_settled")
    }
    if let halting = decoding.halting {
      let halted = flag(halting, of: "state.out", named: "halted", in: \.body)
      let runs = body.add("Not", [halted], to: "has_not_halted")
      goesOn = body.add("And", [goesOn, runs], to: "goes_on")
    }
    body.add("Identity", [goesOn], to: "runs.out")

    body.outputs = [
      .init("runs.out", .bool), .init("state.out", export.elementType, stateShape),
      .init("loops.out", .int64),
    ]
    if let device {
      let rows = body.add("GatherND", ["state.out", deviceCells(device)], to: "device.word.rows")
      number(of: rows, device.rows, isSigned: true, to: "device.word", in: \.body)
      body.add("Identity", ["device.writes"], to: "device.written")
      body.outputs += [
        .init("read.out", .int64), .init("device.word", .int64), .init("device.written", .bool),
      ]
    }
  }

  /// In float64, as a sum of many small numbers is compared with another small number.
  private mutating func isMoving(_ settling: StateDecoding.Settling) -> String {
    body.add(
      "Gather", ["change.size", indices(settling.columns)], to: "settling.columns", [("axis", .integer(0))])
    body.add(
      "Gather", ["settling.columns", number(settling.row)], to: "settling.row", [("axis", .integer(1))])
    body.add("Cast", ["settling.row"], to: "settling.changes", [("to", .integer(11))])
    body.add("ReduceSum", ["settling.changes"], to: "settling.change", [("keepdims", .integer(0))])
    let limit = main.constant(StoredTensor("settling.limit", shape: [], [settling.change]))
    let isSettled = body.add("Less", ["settling.change", limit], to: "has_settled")
    return body.add("Not", [isSettled], to: "is_moving")
  }

  /// Looks at the device's flags, and shows it a character where it is read.
  mutating func exchange(_ device: StateDecoding.Device, _ state: String) -> String {
    flag(device.reads, of: state, named: "device.reads", in: \.body)
    flag(device.writes, of: state, named: "device.writes", in: \.body)
    var shown = body.add("Gather", ["input.ended", "read.in"], to: "device.character")
    if device.negatesInput {
      let negated = body.add("Neg", [shown], to: "device.negated_character")
      shown = body.add("Where", ["device.writes", shown, negated], to: "device.shown")
    }
    let count = device.rows.count
    body.add("Mod", [shown, number(1 << count)], to: "device.unsigned")
    body.add("Div", ["device.unsigned", powers(count, isSigned: false)], to: "device.shifted")
    body.add("Mod", ["device.shifted", number(2)], to: "device.bits")
    body.add("Equal", ["device.bits", number(1)], to: "device.is_set")
    body.add("Where", ["device.is_set", scalar("one", 1), scalar("minus_one", -1)], to: "device.code")
    body.add("GatherND", [state, deviceCells(device)], to: "device.code.before")
    body.add("Where", ["device.reads", "device.code", "device.code.before"], to: "device.code.after")
    body.add("Cast", ["device.reads"], to: "device.read_count", [("to", .integer(7))])
    body.add("Add", ["read.in", "device.read_count"], to: "device.read_beyond")
    body.add("Min", ["device.read_beyond", "input.size"], to: "read.out")
    return body.add("ScatterND", [state, deviceCells(device), "device.code.after"], to: "device.result")
  }

  private mutating func deviceCells(_ device: StateDecoding.Device) -> String {
    main.constant(
      StoredTensor(
        "device.cells", shape: [device.rows.count, 2],
        device.rows.range.flatMap { [Int64(device.column), Int64($0)] }))
  }
}
