/** Moments by which nodes have to end, the earliest first: a binary heap. */
export type Deadline = { readonly atMs: number; readonly node: number }

export type Deadlines = {
  /** Of the earliest. */
  first(): Deadline | undefined
  add(deadline: Deadline): void
  removeFirst(): void
  /** All that have passed, in no order, at a cost that follows their number. */
  passed(nowMs: number): readonly Deadline[]
}

export function createDeadlines(): Deadlines {
  const heap: Deadline[] = []
  const atMs = (index: number): number => heap[index]?.atMs ?? Infinity
  const swap = (a: number, b: number): void => {
    const [first, second] = [heap[a], heap[b]]
    if (first === undefined || second === undefined) return
    heap[a] = second
    heap[b] = first
  }
  return {
    first: () => heap[0],
    add(deadline) {
      heap.push(deadline)
      for (let at = heap.length - 1, parent = (at - 1) >> 1; at > 0 && atMs(at) < atMs(parent); at = parent, parent = (at - 1) >> 1) {
        swap(at, parent)
      }
    },
    removeFirst() {
      swap(0, heap.length - 1)
      heap.pop()
      for (let at = 0; ;) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const least = atMs(right) < atMs(left) ? right : left
        if (atMs(least) >= atMs(at)) return
        swap(at, least)
        at = least
      }
    },
    passed(nowMs) {
      const found: Deadline[] = []
      const indexes = [0]
      for (const index of indexes) {
        const deadline = heap[index]
        if (deadline === undefined || deadline.atMs > nowMs) continue
        found.push(deadline)
        indexes.push(2 * index + 1, 2 * index + 2)
      }
      return found
    },
  }
}
