public import CPrefetch

extension Array {
    /// Asks the processor for the memory of an element without waiting for it: for tables that are larger than its cache
    /// and are looked into in no order.
    ///
    /// - Parameter index: of any element. Elements of at most two lines of the cache (128 bytes) are asked for as a whole.
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
