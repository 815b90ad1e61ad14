import ArgumentParser
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers GET /metrics, on a thread of its own.
final class MetricsServer {
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    /// Who is connected beyond these waits for nothing: a scraper is one, and somebody looks.
    private static let mostConnections = 32
    private static let idle = TimeAmount.seconds(30)

    /// Address and port, as they are typed: `127.0.0.1:9469`, `[::1]:9469`; without an address, those of this host only.
    struct Address: ExpressibleByArgument, Equatable {
        var host = "127.0.0.1"
        let port: Int

        init?(argument: String) {
            var rest = argument[...]
            if rest.first == "[" {
                guard let end = rest.firstIndex(of: "]") else { return nil }
                host = String(rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
                guard rest.first == ":" else { return nil }
                rest = rest.dropFirst()
            } else if let colon = rest.lastIndex(of: ":") {
                if rest.startIndex < colon { host = String(rest[..<colon]) }
                rest = rest[rest.index(after: colon)...]
            }
            if host == "localhost" { host = "127.0.0.1" }
            guard let number = UInt16(rest), (try? SocketAddress(ipAddress: host, port: 0)) != nil else { return nil }
            port = Int(number)
        }
    }

    /// - Parameter text: what is answered; called on another thread.
    init(_ address: Address, text: @escaping @Sendable () -> String) throws {
        let counter = Counter()
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            channel = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 16)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    guard counter.enter(Self.mostConnections) else { return channel.close() }
                    channel.closeFuture.whenComplete { _ in counter.leave() }
                    return channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                        try pipeline.addHandlers(IdleStateHandler(allTimeout: Self.idle), MetricsHandler(text))
                    }
                }
                .bind(to: SocketAddress(ipAddress: address.host, port: address.port)).wait()
        } catch {
            try? group.syncShutdownGracefully()
            throw error
        }
    }

    /// Where it listens.
    var place: String { channel.localAddress.map(Self.name) ?? "" }

    private static func name(_ address: SocketAddress) -> String {
        let host = address.ipAddress ?? ""
        return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }

    func stop() { try? group.syncShutdownGracefully() }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        func enter(_ most: Int) -> Bool {
            count.withLock { count in
                guard count < most else { return false }
                count += 1
                return true
            }
        }
        func leave() { count.withLock { $0 -= 1 } }
    }
}

/// One connection.
private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let text: @Sendable () -> String
    private var head: HTTPRequestHead?

    init(_ text: @escaping @Sendable () -> String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            if let head { answer(head, context) }
            head = nil
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var headers: HTTPHeaders = ["Content-Type": "text/plain; charset=utf-8"]
        var status = HTTPResponseStatus.ok
        var body = ""
        if head.method != .GET, head.method != .HEAD {
            status = .methodNotAllowed
            headers.add(name: "Allow", value: "GET, HEAD")
        } else if head.uri == "/metrics" || head.uri.hasPrefix("/metrics?") {
            headers.replaceOrAdd(name: "Content-Type", value: "text/plain; version=0.0.4; charset=utf-8")
            body = text()
        } else if head.uri == "/" {
            body = "rst-analyze watch: /metrics\n"
        } else {
            status = .notFound
        }
        headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        if !head.isKeepAlive { headers.add(name: "Connection", value: "close") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: status, headers: headers))),
            promise: nil)
        if head.method != .HEAD {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: body)))), promise: nil)
        }
        let isLast = !head.isKeepAlive
        let channel = context.channel
        let sent = context.eventLoop.makePromise(of: Void.self)
        if isLast { sent.futureResult.whenComplete { _ in channel.close(promise: nil) } }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
