import Correlator
import JSONText
import KernelEvents
import NetworkTypes

extension JSONEntries {
    /// A connection that an ICMP error ended.
    static func append(_ refusal: ICMPRefusal, to json: inout JSONWriter) {
        json.raw("{\"time\":")
        json.time(UTCTime(nanoseconds: refusal.time))
        json.raw(",\"src\":")
        json.address(refusal.tuple.source)
        json.raw(",\"src_port\":")
        json.number(refusal.tuple.sourcePort)
        json.raw(",\"dst\":")
        json.address(refusal.tuple.destination)
        json.raw(",\"dst_port\":")
        json.number(refusal.tuple.destinationPort)
        json.raw(",\"cause\":\"icmp-refused\",\"certainty\":")
        json.string(refusal.certainty.rawValue)
        json.raw(",\"summary\":")
        json.string(refusal.sentence)
        json.member(",\"error\":", refusal.error)
        json.member(",\"errno\":", refusal.errno)
        json.member(",\"state\":", refusal.state?.name)
        if let process = refusal.process, let pid = process.pid, let comm = process.comm {
            json.raw(",\"pid\":")
            json.number(pid)
            json.raw(",\"comm\":")
            json.string(comm)
            json.member(",\"exe\":", process.details?.exe)
            json.member(",\"user\":", process.details?.user)
        }
        json.member(",\"netns\":", refusal.location?.netns)
        if let message = refusal.message {
            json.raw(",\"icmp\":{\"sender\":")
            json.address(message.sender)
            json.raw(message.isVersion6 ? ",\"version\":6,\"type\":" : ",\"version\":4,\"type\":")
            json.number(message.type)
            json.raw(",\"code\":")
            json.number(message.code)
            json.raw(",\"meaning\":")
            json.string(message.meaning)
            json.raw(",\"messages\":")
            json.number(refusal.messages)
            json.raw(",\"file\":")
            json.string(message.file)
            json.raw(",\"packet\":")
            json.number(message.packet)
            json.raw("}")
        }
        json.raw("}")
    }
}
