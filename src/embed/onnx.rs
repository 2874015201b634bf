//! Writes ONNX files: the few messages of the format that a graph of constants and nodes needs.
//!
//! ONNX is protocol buffers. A writer of tagged fields is shorter than the generated code of the whole schema, and
//! needs no compiler of it at build time. Field numbers are those of `onnx.proto3`.

/// The ONNX Runtime's own operators, which its CPU build carries.
pub const MICROSOFT: &str = "com.microsoft";

/// The version of the standard operators that the graphs here use.
const OPSET: i64 = 17;

/// Version 10 of the file format is the first with 4-bit tensors.
const IR_VERSION: i64 = 10;

/// What a tensor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 8-bit unsigned integers.
    U8,
    /// 64-bit integers.
    I64,
    /// 4-bit signed integers, two in a byte, the low half first.
    I4,
}

impl Element {
    fn code(self) -> i64 {
        match self {
            Element::F32 => 1,
            Element::U8 => 2,
            Element::I64 => 7,
            Element::I4 => 22,
        }
    }
}

/// The value of a node's attribute.
#[derive(Debug, Clone, Copy)]
pub enum Attribute {
    /// A number.
    Int(i64),
    /// A fraction.
    Float(f32),
    /// Numbers.
    Ints(&'static [i64]),
}

/// One side of a tensor's shape.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// A length that is known.
    Fixed(usize),
    /// A length that each call decides; equal names are equal lengths.
    Named(&'static str),
}

/// A graph while it is being written.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<u8>,
    constants: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
    n_nodes: usize,
}

impl Graph {
    /// Adds an input.
    pub fn input(&mut self, name: &str, element: Element, shape: &[Side]) {
        put_bytes(&mut self.inputs, 11, &value_info(name, element, shape));
    }

    /// Declares that the value `name` is an output.
    pub fn output(&mut self, name: &str, element: Element, shape: &[Side]) {
        put_bytes(&mut self.outputs, 12, &value_info(name, element, shape));
    }

    /// Adds a constant from its bytes (little endian) and answers its name.
    pub fn constant(&mut self, name: &str, element: Element, shape: &[usize], bytes: &[u8]) -> String {
        let mut tensor = Vec::with_capacity(bytes.len() + name.len() + 32);
        for side in shape {
            put_int(&mut tensor, 1, *side as i64);
        }
        put_int(&mut tensor, 2, element.code());
        put_bytes(&mut tensor, 8, name.as_bytes());
        put_bytes(&mut tensor, 9, bytes);
        put_bytes(&mut self.constants, 5, &tensor);
        name.to_owned()
    }

    /// Adds a constant of numbers.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, Element::F32, shape, &bytes)
    }

    /// Adds a list of whole numbers.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, Element::I64, &[values.len()], &bytes)
    }

    /// Adds a node of the standard operators and answers the name of its result. An empty input is left out.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let result = format!("{operator}_{}", self.n_nodes);
        self.node_into(&result, "", operator, inputs, attributes);
        result
    }

    /// Like [`Graph::node`], for the runtime's own operators.
    pub fn own_node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let result = format!("{operator}_{}", self.n_nodes);
        self.node_into(&result, MICROSOFT, operator, inputs, attributes);
        result
    }

    /// Adds a node whose result has a name that matters.
    pub fn node_into(
        &mut self,
        result: &str,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Vec::new();
        for input in inputs {
            put_bytes(&mut node, 1, input.as_bytes());
        }
        put_bytes(&mut node, 2, result.as_bytes());
        put_bytes(&mut node, 3, format!("n{}", self.n_nodes).as_bytes());
        put_bytes(&mut node, 4, operator.as_bytes());
        for (name, value) in attributes {
            put_bytes(&mut node, 5, &attribute(name, *value));
        }
        put_bytes(&mut node, 7, domain.as_bytes());
        put_bytes(&mut self.nodes, 1, &node);
        self.n_nodes += 1;
    }

    /// The whole file.
    pub fn into_model(self) -> Vec<u8> {
        let mut graph = self.nodes;
        put_bytes(&mut graph, 2, b"graph");
        graph.extend_from_slice(&self.constants);
        drop(self.constants);
        graph.extend_from_slice(&self.inputs);
        graph.extend_from_slice(&self.outputs);

        let mut model = Vec::with_capacity(graph.len() + 128);
        put_int(&mut model, 1, IR_VERSION);
        put_bytes(&mut model, 2, b"nosso");
        put_bytes(&mut model, 7, &graph);
        for (domain, version) in [("", OPSET), (MICROSOFT, 1)] {
            let mut opset = Vec::new();
            put_bytes(&mut opset, 1, domain.as_bytes());
            put_int(&mut opset, 2, version);
            put_bytes(&mut model, 8, &opset);
        }
        model
    }
}

fn value_info(name: &str, element: Element, shape: &[Side]) -> Vec<u8> {
    let mut sides = Vec::new();
    for side in shape {
        let mut dimension = Vec::new();
        match side {
            Side::Fixed(length) => put_int(&mut dimension, 1, *length as i64),
            Side::Named(name) => put_bytes(&mut dimension, 2, name.as_bytes()),
        }
        put_bytes(&mut sides, 1, &dimension);
    }
    let mut tensor = Vec::new();
    put_int(&mut tensor, 1, element.code());
    put_bytes(&mut tensor, 2, &sides);
    let mut kind = Vec::new();
    put_bytes(&mut kind, 1, &tensor);
    let mut info = Vec::new();
    put_bytes(&mut info, 1, name.as_bytes());
    put_bytes(&mut info, 2, &kind);
    info
}

fn attribute(name: &str, value: Attribute) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, 1, name.as_bytes());
    let kind = match value {
        Attribute::Float(number) => {
            put_tag(&mut bytes, 2, 5);
            bytes.extend_from_slice(&number.to_le_bytes());
            1
        }
        Attribute::Int(number) => {
            put_int(&mut bytes, 3, number);
            2
        }
        Attribute::Ints(numbers) => {
            for number in numbers {
                put_int(&mut bytes, 8, *number);
            }
            7
        }
    };
    put_int(&mut bytes, 20, kind);
    bytes
}

fn put_tag(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, (field << 3) | wire_type);
}

fn put_int(out: &mut Vec<u8>, field: u64, value: i64) {
    put_tag(out, field, 0);
    put_varint(out, value as u64);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_tag(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_seven_bits_at_a_time() {
        for (number, expected) in [
            (0_u64, vec![0]),
            (127, vec![127]),
            (300, vec![0xac, 2]),
            (u64::MAX, [vec![0xff; 9], vec![1]].concat()),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out, expected, "{number}");
        }
    }

    #[test]
    fn an_attribute_is_the_bytes_that_the_reference_writer_gives() {
        // onnx.helper.make_attribute("axis", -1).SerializeToString()
        let expected = b"\x0a\x04axis\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xa0\x01\x02";
        assert_eq!(attribute("axis", Attribute::Int(-1)), expected);
        // onnx.helper.make_attribute("epsilon", 0.5).SerializeToString()
        assert_eq!(attribute("epsilon", Attribute::Float(0.5)), b"\x0a\x07epsilon\x15\0\0\0\x3f\xa0\x01\x01");
    }
}
