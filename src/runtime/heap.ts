/** A binary heap: the item that comes `before` all others is taken first. `keep` drops what is no longer wanted. */
export type Heap<T> = {
  readonly size: number
  push(item: T): void
  peek(): T | undefined
  pop(): T | undefined
  keep(wanted: (item: T) => boolean): void
}

export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  let items: T[] = []
  const swapIf = (child: number, parent: number): boolean => {
    const [a, b] = [items[child], items[parent]]
    if (a === undefined || b === undefined || !before(a, b)) return false
    items[child] = b
    items[parent] = a
    return true
  }
  function push(item: T): void {
    items.push(item)
    for (let at = items.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!swapIf(at, parent)) return
      at = parent
    }
  }
  return {
    get size() {
      return items.length
    },
    push,
    keep(wanted) {
      const all = items
      items = []
      for (const item of all) if (wanted(item)) push(item)
    },
    peek: () => items[0],
    pop() {
      const head = items[0]
      const last = items.pop()
      if (items.length > 0 && last !== undefined) {
        items[0] = last
        for (let at = 0; ;) {
          const left = 2 * at + 1
          const [l, r] = [items[left], items[left + 1]]
          if (l === undefined) break
          const child = r !== undefined && before(r, l) ? left + 1 : left
          if (!swapIf(child, at)) break
          at = child
        }
      }
      return head
    },
  }
}
