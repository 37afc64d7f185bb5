/** Who of a concurrency group starts next: the line of the slots that wait for room, and the active runs of the group. */
import type { Clock } from '../../clock/index.ts'
import type { Slot } from '../../contract/index.ts'

/** A schedule in its group. Schedules are named by their keys, `namespace/name`. */
export type GroupMember = {
  /** `namespace/TaskBroker/group`: what one dispatch lease covers. */
  readonly group: string
  readonly key: string
  /** All schedules of the group, by the cache. */
  readonly members: () => readonly string[]
  /** How many active runs they may have together. */
  readonly limit: number
}

/** What one look at a schedule found: the slot that starts if there is room (undefined: none does), and how many runs are active. */
export type GroupLook = { readonly head: Slot | undefined; readonly runs: number }

/** The place of a schedule in its group, for one visit. */
export type GroupPlace = {
  /** Takes its place in line, and returns whether its slot may start now. */
  mayStart(look: GroupLook): boolean
  /** Whether slots of other schedules wait for room. */
  isAwaited(): boolean
  /** The broker counts these runs of the other ledgers, and has refused the start. */
  refused(runs: ReadonlyMap<string, number>): void
  /** Ledgers that the broker still counts although no schedule of the group has them. */
  gone(): readonly string[]
}

/**
 * Keeps the order of the slots that wait, for one process. The broker alone keeps the limit: it refuses what would exceed it, whatever is
 * known here.
 *
 * Guarantees: room goes to the oldest slot that could start, ties to the first name. A schedule that cannot start holds up nobody: each look
 * replaces what the one before found. After a change of leader no slot starts before each other schedule of the group was looked at to the end,
 * or 10 s have passed: until then an older slot may not be known yet. When room comes, the schedules whose slots it is for are announced.
 * Does not: store anything. The slots that wait are in the ledgers, from which each leader knows the line again.
 */
export type ConcurrencyGroups = {
  /** With the epoch of the dispatch lease: what was found in another one does not count. */
  place(member: GroupMember, epoch: number): GroupPlace
  /** A visit has come to its end. */
  looked(member: GroupMember, epoch: number): void
  /** The same, and it cannot start anything, whatever the room. */
  stepAside(member: GroupMember, epoch: number, runs: number): void
  /** The schedule is gone. */
  forget(key: string): void
  /** The schedules of the group that have active runs, with their number; and the oldest slot that waits. */
  show(member: GroupMember): GroupView
  /** Keys of schedules whose slots may start now. */
  onChange(handler: (key: string) => void): () => void
}

export type GroupView = {
  readonly running: readonly { readonly key: string; readonly runs: number }[]
  readonly first: { readonly key: string; readonly slot: Slot } | undefined
}

type Board = {
  readonly epoch: number
  readonly openedAtMs: number
  readonly looks: Map<string, GroupLook>
  /** Schedules of which a visit has come to its end. */
  readonly known: Set<string>
  gone: readonly string[]
}

/** So long a schedule that was not looked at yet may keep others from starting. */
const patienceMs = 10_000

export function createConcurrencyGroups({ clock }: { readonly clock: Pick<Clock, 'monotonicNow'> }): ConcurrencyGroups {
  const boards = new Map<string, Board>()
  const handlers = new Set<(key: string) => void>()

  function boardOf(group: string, epoch: number): Board {
    const known = boards.get(group)
    if (known?.epoch === epoch) return known
    const board: Board = { epoch, openedAtMs: clock.monotonicNow(), looks: new Map(), known: new Set(), gone: [] }
    boards.set(group, board)
    return board
  }

  /** The schedules of the oldest slots for which there is room, as far as is known: `asker` is the one that is looked at now. */
  function nextIn({ looks, known: done, openedAtMs }: Board, { members, limit }: GroupMember, asker?: string): readonly string[] {
    const keys = members()
    if (keys.some((key) => key !== asker && !done.has(key)) && clock.monotonicNow() - openedAtMs < patienceMs) return []
    const known = keys.flatMap((key) => {
      const look = looks.get(key)
      return look === undefined ? [] : [{ key, ...look }]
    })
    const room = limit - known.reduce((sum, { runs }) => sum + runs, 0)
    return room <= 0
      ? []
      : inLine(known)
          .slice(0, room)
          .map(({ key }) => key)
  }

  function announceNext(board: Board, member: GroupMember): void {
    for (const key of nextIn(board, member)) if (key !== member.key) for (const handler of handlers) handler(key)
  }

  function noteLook(board: Board, member: GroupMember, found: GroupLook): void {
    const before = board.looks.get(member.key)
    board.looks.set(member.key, found)
    if (before === undefined) return
    if (found.runs < before.runs || (before.head !== undefined && found.head !== before.head)) announceNext(board, member)
  }

  function noteVisit(board: Board, member: GroupMember): void {
    if (board.known.has(member.key)) return
    board.known.add(member.key)
    announceNext(board, member)
  }

  return {
    place(member, epoch) {
      let refusals = 0
      return {
        mayStart(found) {
          const board = boardOf(member.group, epoch)
          noteLook(board, member, found)
          // What the broker counts of ledgers that are gone is removed by the second try.
          const isTried = refusals > 0 && !(refusals === 1 && board.gone.length > 0)
          return !isTried && nextIn(board, member, member.key).includes(member.key)
        },
        isAwaited() {
          const { looks } = boardOf(member.group, epoch)
          return member.members().some((key) => key !== member.key && looks.get(key)?.head !== undefined)
        },
        refused(runs) {
          refusals++
          const board = boardOf(member.group, epoch)
          const keys = new Set(member.members())
          for (const [ledger, count] of runs) {
            const known = board.looks.get(keyOf(ledger))
            if (known !== undefined) board.looks.set(keyOf(ledger), { ...known, runs: count })
          }
          board.gone = [...runs.keys()].filter((ledger) => !keys.has(keyOf(ledger)))
        },
        gone() {
          // A schedule that has come back counts again.
          const keys = new Set(member.members())
          return boardOf(member.group, epoch).gone.filter((ledger) => !keys.has(keyOf(ledger)))
        },
      }
    },
    looked: (member, epoch) => noteVisit(boardOf(member.group, epoch), member),
    stepAside(member, epoch, runs) {
      const board = boardOf(member.group, epoch)
      noteLook(board, member, { head: undefined, runs })
      noteVisit(board, member)
    },
    forget(key) {
      for (const [group, { looks, known }] of boards) {
        known.delete(key)
        if (looks.delete(key) && looks.size === 0) boards.delete(group)
      }
    },
    show({ group, members }) {
      const looks = boards.get(group)?.looks
      const known = members().flatMap((key) => {
        const found = looks?.get(key)
        return found === undefined ? [] : [{ key, ...found }]
      })
      const [first] = inLine(known)
      return {
        running: known.flatMap(({ key, runs }) => (runs === 0 ? [] : [{ key, runs }])),
        first: first && { key: first.key, slot: first.head },
      }
    },
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}

/** Those that wait, the oldest slot first. */
function inLine(known: readonly (GroupLook & { readonly key: string })[]): readonly { readonly key: string; readonly head: Slot }[] {
  return known
    .flatMap(({ key, head }) => (head === undefined ? [] : [{ key, head }]))
    .toSorted((a, b) => a.head - b.head || (a.key < b.key ? -1 : 1))
}

/** The key of the schedule that has this ledger: an installation has no slash. */
function keyOf(ledger: string): string {
  return ledger.slice(ledger.indexOf('/') + 1)
}
