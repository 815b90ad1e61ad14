import CLaboratory
import Glibc
import Laboratory

/// A BPF program that walks over the TCP sockets of the calling thread's network namespace and destroys each.
///
/// Six instructions written by hand, since there is nothing to compile here: a `bpf_iter/tcp` program that hands every
/// socket to the kernel function `bpf_sock_destroy` (Linux 6.5).
enum SocketIterator {
    static func destroyAllTCP() throws {
        let names = KernelTypes.functions(["bpf_iter_tcp", "bpf_sock_destroy"])
        guard let target = names["bpf_iter_tcp"], let destroy = names["bpf_sock_destroy"] else {
            throw LabError.unsupported("this kernel has no bpf_sock_destroy or no BTF")
        }
        let program = Descriptor(try load(instructions(calling: destroy), iterating: target))
        // BPF_LINK_CREATE: program, no target, BPF_TRACE_ITER.
        let link = Descriptor(try command(28, [UInt32(program.number), 0, 28, 0], "BPF_LINK_CREATE"))
        let iterator = Descriptor(try command(33, [UInt32(link.number), 0], "BPF_ITER_CREATE"))
        var bytes = [UInt8](repeating: 0, count: 4096)
        while try check(read(iterator.number, &bytes, bytes.count), "read", "iterator") > 0 {}
    }

    /// `if (ctx->sk_common) bpf_sock_destroy(ctx->sk_common); return 0;`
    private static func instructions(calling function: UInt32) -> [UInt64] {
        func instruction(_ code: UInt8, _ to: UInt8 = 0, _ from: UInt8 = 0, _ offset: Int16 = 0, _ value: UInt32 = 0)
            -> UInt64
        {
            UInt64(code) | UInt64(to | from << 4) << 8 | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(value) << 32
        }
        return [
            instruction(0x79, 6, 1, 8),  // r6 = ctx->sk_common
            instruction(0x15, 6, 0, 2),  // if r6 == 0 skip two
            instruction(0xbf, 1, 6),  // r1 = r6
            instruction(0x85, 0, 2, 0, function),  // call the kernel function
            instruction(0xb7),  // r0 = 0
            instruction(0x95),  // exit
        ]
    }

    private static func load(_ instructions: [UInt64], iterating target: UInt32) throws -> Int32 {
        try instructions.withUnsafeBufferPointer { code in
            try "GPL".withCString { license in
                var attributes = [UInt32](repeating: 0, count: 32)
                attributes[0] = 26  // BPF_PROG_TYPE_TRACING
                attributes[1] = UInt32(code.count)
                set(&attributes, 2, UInt64(UInt(bitPattern: code.baseAddress)))
                set(&attributes, 4, UInt64(UInt(bitPattern: license)))
                attributes[17] = 28  // expected_attach_type: BPF_TRACE_ITER
                attributes[27] = target  // attach_btf_id
                do {
                    return try command(5, attributes, "BPF_PROG_LOAD")
                } catch LabError.system(_, _, let code) where code == EINVAL || code == EACCES || code == EPERM {
                    throw LabError.unsupported(
                        "this kernel does not load the BPF program: \(String(cString: strerror(code)))")
                }
            }
        }
    }

    private static func set(_ attributes: inout [UInt32], _ index: Int, _ value: UInt64) {
        attributes[index] = UInt32(truncatingIfNeeded: value)
        attributes[index + 1] = UInt32(truncatingIfNeeded: value >> 32)
    }

    private static func command(_ number: Int32, _ attributes: [UInt32], _ name: String) throws -> Int32 {
        // The kernel accepts a shorter or longer union bpf_attr, as long as what it does not know is zero.
        var union = attributes + [UInt32](repeating: 0, count: max(0, 32 - attributes.count))
        return try check(laboratory_bpf(number, &union, 128), name)
    }
}
