// swift-tools-version: 6.2
import PackageDescription

let base: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
/// Modules that read bytes from an attacker say `unsafe` wherever the compiler cannot check a bound.
let pure: [SwiftSetting] = base + [.strictMemorySafety()]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let http: [Target.Dependency] = ["NIOCore", "NIOPosix", "NIOHTTP1"].map { .product(name: $0, package: "swift-nio") }
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "rst-analyze",
    products: [.executable(name: "rst-analyze", targets: ["RstAnalyze"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: [
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CBzip2", providers: [.apt(["libbz2-dev"])]),
        .target(name: "CLibBPF", linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf")]),

        .target(name: "CLinux"),

        .target(name: "CSandbox", linkerSettings: [.linkedLibrary("seccomp")]),

        .target(name: "CPrefetch"),

        .target(name: "HostFiles", swiftSettings: base),

        .target(name: "NetworkTypes", dependencies: ["CPrefetch"], swiftSettings: pure),
        .target(name: "PcapReader", dependencies: ["NetworkTypes"], swiftSettings: pure),
        .target(name: "JSONText", dependencies: ["NetworkTypes"], swiftSettings: pure),
        .target(name: "KernelEvents", dependencies: ["NetworkTypes", "JSONText"], swiftSettings: pure),
        .target(
            name: "Correlator", dependencies: ["NetworkTypes", "PcapReader", "KernelEvents"], swiftSettings: pure),
        .target(
            name: "Reporting",
            dependencies: [
                "NetworkTypes", "JSONText", "KernelEvents", "Correlator",
                .product(name: "Mustache", package: "swift-mustache"),
            ],
            swiftSettings: pure),

        .target(
            name: "Anonymizer", dependencies: ["NetworkTypes", "PcapReader", "KernelEvents"], swiftSettings: pure),
        .target(name: "BlockCipher", dependencies: ["CCrypto"], swiftSettings: base),

        .target(
            name: "ReportDatabase",
            dependencies: [
                "NetworkTypes", "KernelEvents", "Correlator", "Reporting",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: base),
        .target(
            name: "CaptureFile",
            dependencies: ["HostFiles", "PcapReader", "CZlib", "CZstd", "CLZ4", "CLzma", "CBzip2"],
            swiftSettings: base),
        .target(
            name: "InputFiles",
            dependencies: ["CaptureFile", "Correlator", "HostFiles", "KernelEvents", "PcapReader"],
            swiftSettings: base),
        .target(
            name: "Recorder",
            dependencies: [
                "CPcap", "CLibBPF", "CLinux", "CSandbox", "CZstd", "HostFiles", "NetworkTypes", "PcapReader",
                "KernelEvents",
                log,
            ],
            swiftSettings: base),
        .target(name: "CLaboratory"),
        .target(name: "Laboratory", dependencies: ["CLaboratory", "HostFiles", "NetworkTypes"], swiftSettings: base),
        .target(
            name: "Selftest", dependencies: ["CLaboratory", "Laboratory", "NetworkTypes"], swiftSettings: base),
        .target(
            name: "SelftestDriver",
            dependencies: [
                "NetworkTypes", "Correlator", "KernelEvents", "InputFiles", "Laboratory", "Recorder", "Selftest",
            ],
            swiftSettings: base),
        .target(
            name: "Provoke", dependencies: ["CLaboratory", "HostFiles", "Laboratory", "JSONText", "NetworkTypes"],
            swiftSettings: base),
        .executableTarget(
            name: "RstAnalyze",
            dependencies: [
                "HostFiles", "NetworkTypes", "PcapReader", "KernelEvents", "Correlator", "Reporting", "ReportDatabase",
                "InputFiles", "CaptureFile", "Anonymizer", "BlockCipher",
                "Laboratory",
                "Provoke",
                "Recorder", "Selftest", "SelftestDriver", "CLinux", "JSONText", log, arguments,
            ] + http,
            swiftSettings: base),

        .testTarget(name: "NetworkTypesTests", dependencies: ["NetworkTypes"], swiftSettings: base),
        .testTarget(
            name: "PcapReaderTests", dependencies: ["PcapReader", "CaptureFile", "NetworkTypes"],
            swiftSettings: base),
        .testTarget(
            name: "KernelEventsTests", dependencies: ["KernelEvents", "NetworkTypes"], swiftSettings: base),
        .testTarget(
            name: "CorrelatorTests",
            dependencies: ["Correlator", "KernelEvents", "PcapReader", "NetworkTypes"],
            swiftSettings: base),
        .testTarget(
            name: "AnonymizerTests",
            dependencies: [
                "Anonymizer", "BlockCipher", "CaptureFile", "Correlator", "InputFiles", "KernelEvents", "NetworkTypes",
                "PcapReader",
            ], swiftSettings: base),
        .testTarget(
            name: "RecorderTests", dependencies: ["CZstd", "Recorder", "HostFiles", "KernelEvents"],
            exclude: ["Answers"],
            swiftSettings: base),
        .testTarget(
            name: "ReportingTests",
            dependencies: ["Reporting", "Correlator", "JSONText", "KernelEvents", "NetworkTypes"],
            swiftSettings: base),
        .testTarget(
            name: "GoldenTests",
            dependencies: ["Correlator", "KernelEvents", "NetworkTypes", "Reporting", "InputFiles"],
            exclude: ["Text", "Forms"],
            swiftSettings: base),
        .executableTarget(
            name: "SelftestRunner", dependencies: ["Laboratory", "Selftest"], path: "Tests/SelftestRunner",
            swiftSettings: base),
        .testTarget(
            name: "SelftestTests",
            dependencies: ["Laboratory", "Selftest", "SelftestRunner", "Correlator", "NetworkTypes"],
            swiftSettings: base),
        .testTarget(
            name: "ProvokeTests", dependencies: ["Provoke", "RstAnalyze", "Laboratory", "NetworkTypes", "Recorder"],
            swiftSettings: base),
        .testTarget(name: "CommandTests", dependencies: ["HostFiles", "RstAnalyze"], swiftSettings: base),
        .testTarget(
            name: "LiveTests",
            dependencies: [
                "NetworkTypes", "KernelEvents", "InputFiles", "Laboratory", "Selftest", "SelftestDriver", "RstAnalyze",
                "Correlator", "Recorder",
            ],
            swiftSettings: base),
    ]
)
