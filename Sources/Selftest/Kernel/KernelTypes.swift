import Glibc
import Laboratory

/// The kernel's description of its own types and functions (BTF), as far as a function's number goes.
///
/// Format: Documentation/bpf/btf.rst of the kernel.
enum KernelTypes {
    /// The type IDs of the functions with these names in /sys/kernel/btf/vmlinux; missing names are left out.
    static func functions(_ names: Set<String>) -> [String: UInt32] {
        guard let bytes = File.bytes("/sys/kernel/btf/vmlinux") else { return [:] }
        return bytes.withUnsafeBytes { functions(names, in: $0) }
    }

    private static func functions(_ names: Set<String>, in btf: UnsafeRawBufferPointer) -> [String: UInt32] {
        func word(_ at: Int) -> Int {
            at >= 0 && at <= btf.count - 4 ? Int(btf.loadUnaligned(fromByteOffset: at, as: UInt32.self)) : 0
        }
        guard btf.count >= 24, word(0) & 0xffff == 0xeb9f else { return [:] }
        let header = word(4)
        var at = header + word(8)
        let end = min(at + word(12), btf.count - 12)
        let strings = header + word(16)
        var found: [String: UInt32] = [:]
        var id: UInt32 = 1
        while at < end, found.count < names.count {
            let information = word(at + 4)
            let kind = information >> 24 & 31
            if kind == 12 {
                let name = string(btf, at: strings + word(at))
                if names.contains(name) { found[name] = id }
            }
            at += 12 + trailer(kind, count: information & 0xffff)
            id += 1
        }
        return found
    }

    /// Bytes after the common 12 of a type.
    private static func trailer(_ kind: Int, count: Int) -> Int {
        switch kind {
        case 1, 14, 17: 4  // INT, VAR, DECL_TAG
        case 3: 12  // ARRAY
        case 4, 5, 15, 19: 12 * count  // STRUCT, UNION, DATASEC, ENUM64
        case 6, 13: 8 * count  // ENUM, FUNC_PROTO
        default: 0
        }
    }

    private static func string(_ btf: UnsafeRawBufferPointer, at offset: Int) -> String {
        guard offset >= 0, offset < btf.count else { return "" }
        return String(decoding: btf[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
