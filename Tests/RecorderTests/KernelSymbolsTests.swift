import Synchronization
import Testing

@testable import Recorder

/// What the kernel shows, and how often it was asked.
private final class Kernel: Sendable {
    struct Text {
        var kallsyms = """
            ffffffff81000000 T _text
            ffffffff81000100 t tcp_v4_send_reset
            ffffffff81000900 T tcp_v4_rcv
            ffffffff81001000 D jiffies
            ffffffff81002000 T _etext
            ffffffffc0100000 t veth_xmit\t[veth]
            ffffffffc0100400 t veth_poll\t[veth]
            ffffffffc0300000 t bpf_prog_0123_net_dev_queue\t[bpf]
            """
        var modules = "veth 8192 0 - Live 0xffffffffc0100000\n"
        var reads = 0
        /// Nanoseconds.
        var now: Int64 = 0
    }

    let text = Mutex(Text())

    func symbols() -> LiveSymbols {
        LiveSymbols(
            kallsyms: {
                self.text.withLock {
                    $0.reads += 1
                    return Array($0.kallsyms.utf8)
                }
            }, modules: { self.text.withLock { Array($0.modules.utf8) } }, now: { self.text.withLock { $0.now } })
    }
}

@Suite struct KernelSymbolsTests {
    @Test func anAddressBelongsToTheFunctionThatBeginsBeforeIt() {
        let symbols = Kernel().text.withLock { KernelSymbols(kallsyms: Array($0.kallsyms.utf8)) }
        #expect(symbols.name(0xffff_ffff_8100_0100) == "tcp_v4_send_reset+0x0")
        #expect(symbols.name(0xffff_ffff_8100_0901) == "tcp_v4_rcv+0x1")
        // A data symbol is not a function.
        #expect(symbols.name(0xffff_ffff_8100_1001) == "tcp_v4_rcv+0x701")
        #expect(symbols.name(0xffff_ffff_c010_0010) == "veth_xmit+0x10 [veth]")
        #expect(symbols.name(0xffff_ffff_80ff_ffff) == nil)
        #expect(symbols.name(0) == nil)
        #expect(symbols.name(.max) == nil)
    }

    @Test func noFunctionIsLongerThan64KilobytesButABPFProgramMayBe() {
        let symbols = Kernel().text.withLock { KernelSymbols(kallsyms: Array($0.kallsyms.utf8)) }
        #expect(symbols.name(0xffff_ffff_8101_1fff) == "_etext+0xffff")
        #expect(symbols.name(0xffff_ffff_8101_2000) == nil)
        #expect(symbols.name(0xffff_ffff_c032_0000) == "bpf_prog_0123_net_dev_queue+0x20000 [bpf]")
    }

    @Test func aModuleEndsWhereTheKernelSaysSo() {
        let symbols = Kernel().text.withLock {
            KernelSymbols(kallsyms: Array($0.kallsyms.utf8), modules: Array($0.modules.utf8))
        }
        #expect(symbols.name(0xffff_ffff_c010_1fff) == "veth_poll+0x1bff [veth]")
        #expect(symbols.name(0xffff_ffff_c010_2000) == nil)
    }

    /// Linux 6.1 lists `inet_diag_init` forever, but gives its memory to the next module.
    @Test func whatAModuleHasLeftIsNotItsOwn() {
        let kallsyms = """
            ffffffffc0300000 t tcp_diag_destroy\t[tcp_diag]
            ffffffffc0300000 t inet_diag_init\t[inet_diag]
            ffffffffc0400000 t inet_diag_handler_cmd\t[inet_diag]
            """
        let modules =
            "tcp_diag 16384 0 - Live 0xffffffffc0300000\ninet_diag 24576 1 tcp_diag, Live 0xffffffffc0400000\n"
        let symbols = KernelSymbols(kallsyms: Array(kallsyms.utf8), modules: Array(modules.utf8))
        #expect(symbols.name(0xffff_ffff_c030_0038) == "tcp_diag_destroy+0x38 [tcp_diag]")
        #expect(symbols.name(0xffff_ffff_c040_0001) == "inet_diag_handler_cmd+0x1 [inet_diag]")
    }

    @Test func aModuleThatIsLoadedWhileRecordingIsNamed() {
        let kernel = Kernel()
        var symbols = kernel.symbols()
        kernel.text.withLock {
            $0.kallsyms += "\nffffffffc0101000 t nf_send_reset\t[nf_reject_ipv4]"
            $0.modules = "nf_reject_ipv4 4096 1 - Live 0xffffffffc0101000\nveth 4096 0 - Live 0xffffffffc0100000\n"
        }
        #expect(symbols.names([0xffff_ffff_c010_1010]) == ["nf_send_reset+0x10 [nf_reject_ipv4]"])
    }

    @Test func whatAnotherModuleHadBeforeIsNamedAnew() {
        let kernel = Kernel()
        var symbols = kernel.symbols()
        #expect(symbols.names([0xffff_ffff_c010_0010]) == ["veth_xmit+0x10 [veth]"])
        kernel.text.withLock {
            $0.kallsyms = "ffffffff81000000 T _text\nffffffff81002000 T _etext\nffffffffc0100000 t tun_get_user\t[tun]"
            $0.modules = "tun 8192 0 - Live 0xffffffffc0100000\n"
        }
        #expect(symbols.names([0xffff_ffff_c010_0010]) == ["tun_get_user+0x10 [tun]"])
    }

    @Test func addressesOfTheKernelItselfNeedNoSecondLook() {
        let kernel = Kernel()
        var symbols = kernel.symbols()
        kernel.text.withLock { $0.modules = "" }
        #expect(symbols.names([0xffff_ffff_8100_0901]) == ["tcp_v4_rcv+0x1"])
        #expect(kernel.text.withLock { $0.reads } == 1)
        // Users of a module come and go.
        kernel.text.withLock { $0.modules = "veth 8192 7 bridge,br_netfilter Live 0xffffffffc0100000\n" }
        #expect(symbols.names([0xffff_ffff_c010_0010]) == ["veth_xmit+0x10 [veth]"])
        #expect(kernel.text.withLock { $0.reads } == 1)
    }

    /// The text is megabytes long, and whoever waits for it does not empty the ring.
    @Test func whatHasNoNameIsLookedForOnce() {
        let kernel = Kernel()
        var symbols = kernel.symbols()
        func reads(after seconds: Int64, _ addresses: [UInt64]) -> Int {
            kernel.text.withLock { $0.now += seconds * 1_000_000_000 }
            _ = symbols.names(addresses)
            return kernel.text.withLock { $0.reads }
        }
        // A pointer to no function.
        #expect(reads(after: 2, [0]) == 1)
        #expect(reads(after: 2, [0xffff_ffff_c080_0000]) == 2)
        #expect(reads(after: 2, [0xffff_ffff_c080_0000]) == 2)
        #expect(reads(after: 2, [0xffff_ffff_c090_0000]) == 3)
    }

    @Test func whatHasNoNameIsGivenAsItIs() {
        var symbols = Kernel().symbols()
        #expect(symbols.names([0xffff_ffff_c080_0000]) == ["0xffffffffc0800000"])
        var none = LiveSymbols(kallsyms: { [] }, modules: { [] })
        #expect(none.isEmpty)
        #expect(none.names([1, .max]) == ["0x1", "0xffffffffffffffff"])
    }

    @Test func damagedTextIsPassedOver() {
        let text = "zz\n\nffffffff81000000\nffffffff81000000 T\nfffffffffffffffffffffffff T long\n81 t x\t[a]\n"
        let symbols = KernelSymbols(
            kallsyms: Array(text.utf8),
            modules: Array("veth\na 18446744073709551615 0 - Live 0x1\n".utf8))
        #expect(symbols.name(0x81) == "x+0x0 [a]")
    }
}
