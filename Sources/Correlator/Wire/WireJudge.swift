/// Judges by packets alone. Never `proven`: a third party can forge whatever a wire shows.
func judge(_ evidence: WireEvidence) -> Verdict { judge(evidence, WireScores(evidence)) }

/// What the catalogue's rules make of the evidence, the best first.
struct WireScores {
    let ranked: [(rule: Rule, score: WireScore)]

    init(_ evidence: WireEvidence) {
        var ranked: [(rule: Rule, score: WireScore)] = []
        // Equal scores stay in the order of the catalogue. There are a handful at most.
        func insert(_ rule: Rule, _ score: WireScore) {
            var place = ranked.count
            while place > 0, ranked[place - 1].score.points < score.points { place -= 1 }
            ranked.insert((rule, score), at: place)
        }
        // A span, so that processors do not count references while all of them try all rules.
        let all = Catalogue.wireRules
        let rules = all.span
        // Whatever made such a header: nothing follows from it.
        guard !evidence.reset.isMalformed else {
            self.ranked = []
            return
        }
        for index in rules.indices {
            if let score = rules[index].wire?(evidence), score.points > 0 { insert(rules[index], score) }
        }
        if let stated = evidence.stated?.cause, let rule = Catalogue.rule(for: stated) {
            // The sender's own statement precedes what its packets suggest, unless that is clear.
            ranked.removeAll { $0.rule.cause == stated }
            let score = WireScore(.explicit, "the RST says so in its payload")
            ranked.insert((rule, score), at: ranked.firstIndex { $0.score.points <= score.points } ?? ranked.count)
        }
        self.ranked = Self.withSuspicion(ranked, evidence)
    }

    /// A strong sign of a third party is not passed over, nor that one reset this connection before: that is the first of the
    /// alternatives.
    private static func withSuspicion(
        _ ranked: [(rule: Rule, score: WireScore)], _ evidence: WireEvidence
    ) -> [(rule: Rule, score: WireScore)] {
        guard evidence.injection.claim == .suspected || evidence.flow?.strangers.earlier != nil,
            let best = ranked.first,
            let place = ranked.firstIndex(where: { $0.rule.cause == .injected }), place > 0
        else { return ranked }
        var ranked = ranked
        let (rule, score) = ranked.remove(at: place)
        ranked.insert((rule, score.raised(to: best.score.points - WireScore.margin)), at: 1)
        return ranked
    }

    /// The best, and what lies so near to it that it may be the cause as well.
    var near: ArraySlice<(rule: Rule, score: WireScore)> {
        guard let best = ranked.first else { return [] }
        return ranked.prefix { $0.score.points + WireScore.margin >= best.score.points }
    }
}

func judge(_ evidence: WireEvidence, _ scores: WireScores) -> Verdict {
    guard let best = scores.ranked.first else { return undecided(evidence, candidates: []) }
    let near = scores.near
    var candidates = near.prefix(WireScore.maximumCandidates).map(\.rule.cause)
    if near.count == 1, !best.score.standsFor.isEmpty { candidates = best.score.standsFor }
    guard best.score.points >= WireScore.Level.even.rawValue else { return undecided(evidence, candidates: candidates) }
    var verdict = Verdict(
        best.rule, .inferred, summary: best.score.summary ?? best.rule.guess,
        missing: candidates.count > 1 ? [whatDecides(candidates, evidence)] : [],
        candidates: candidates.count > 1 ? candidates : [])
    verdict.because = best.score.because
    if let earlier = evidence.flow?.strangers.earlier, evidence.trigger != nil, best.rule.category == .stale {
        verdict.summary +=
            " A third party had already reset this connection (packet \(earlier)), and may have done so at this end too."
    }
    if let suspect = evidence.peer.injected ?? evidence.own.injected, best.rule.cause != .injected {
        verdict.summary += " A third party had injected a segment into this connection (packet \(suspect.note.number))."
    }
    return verdict
}

private func undecided(_ evidence: WireEvidence, candidates: [Cause]) -> Verdict {
    Verdict(Catalogue.nothing, .unknown, missing: [whatDecides(candidates, evidence)], candidates: candidates)
}

private func whatDecides(_ candidates: [Cause], _ evidence: WireEvidence) -> String {
    if evidence.reset.isMalformed { return "a RST with an undamaged header" }
    if evidence.situation == .unread {
        return "the other segments of the connection: the capture could not be read a second time"
    }
    if evidence.lacksPast, evidence.trigger == nil {
        return "the earlier segments of the connection: they were dropped; a larger --memory keeps more"
    }
    if evidence.situation == .isolated {
        return "the segments of the connection before the RST, and kernel events of the host that sent it"
    }
    if evidence.isSparse, evidence.trigger == nil {
        return "the other segments of the connection: the capture has only some of them"
    }
    let kernel = "kernel events of the host that sent it"
    return candidates.count > 1
        ? "\(kernel), to distinguish \(candidates.map(\.rawValue).joined(separator: " from "))" : kernel
}
