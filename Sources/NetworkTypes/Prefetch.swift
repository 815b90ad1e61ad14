public import CPrefetch

extension Array {
    /// Prefetches an element without waiting for it: for tables that are larger than the processor's cache and accessed at
    /// random.
    ///
    /// - Parameter index: of any element. Elements of up to two cache lines (128 bytes) are fetched as a whole.
    @inlinable @inline(__always)
    public func prefetch(_ index: Int) {
        unsafe withUnsafeBufferPointer { elements in
            guard index < elements.count, let base = elements.baseAddress else { return }
            let element = unsafe UnsafeRawPointer(base + index)
            unsafe prefetch_line(element)
            unsafe prefetch_line(element + MemoryLayout<Element>.size - 1)
        }
    }
}
