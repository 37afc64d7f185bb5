/**
 * Two operators and their servers, to which everything happens again and again at seeded moments: they are killed and start again, as the kubelet
 * and an init system would do it; the leader freezes, or loses the API server.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../hack/cluster/redis.ts'
import { usageOf } from '../bench/usage.ts'
import type { OperatorProcess } from './operator-process.ts'

export type Pair = AsyncDisposable & {
  /** The process that leads; waits for one. */
  leader(): Promise<Seat>
  readonly seats: readonly Seat[]
  /** Processes that ended although nobody killed them; they were started again. */
  readonly crashes: readonly string[]
  /** What the present processes have logged, for a test that failed: each message with its count, and the newest lines. */
  describe(): string
}

/** One pod of the Deployment: a process under its name, and the next one when that was killed. */
export type Seat = {
  readonly identity: string
  process: OperatorProcess
  /** The most memory that any of its processes had, in MB, by the kernel's own mark. */
  peakMb: number
  kill(): Promise<void>
  start(): void
  /** It does nothing, and knows nothing of it, until `thaw`. */
  freeze(): void
  thaw(): void
}

/** The kernel keeps the mark while the process lives; it is read before each kill, too. */
const samplingMs = 100

export function startPair(launch: (identity: string) => OperatorProcess): Pair {
  const crashes: string[] = []
  const frozen = new Set<Seat>()
  let isEnding = false
  const seats = ['operator-0', 'operator-1'].map((identity): Seat => {
    const killed = new Set<OperatorProcess>()
    const begin = (): OperatorProcess => {
      const process = launch(identity)
      void process.exited.then((code) => {
        if (isEnding || killed.has(process)) return
        crashes.push(`${identity} ended with ${code}: ${JSON.stringify(process.lines.slice(-3))}`)
        if (seat.process === process) seat.start()
      })
      return process
    }
    const seat: Seat = {
      identity,
      process: begin(),
      peakMb: 0,
      async kill() {
        note(seat)
        killed.add(seat.process)
        await seat.process.kill()
      },
      start: () => void (seat.process = begin()),
      freeze() {
        frozen.add(seat)
        seat.process.signal('SIGSTOP')
      },
      thaw() {
        seat.process.signal('SIGCONT')
        frozen.delete(seat)
      },
    }
    return seat
  })
  const sampling = setInterval(() => seats.forEach(note), samplingMs)
  return {
    seats,
    crashes,
    describe: () => [...crashes, ...seats.map(describeSeat)].join('\n'),
    async leader() {
      for (;;) {
        const leading = seats.find((seat) => peakOf(seat.process) > 0 && !frozen.has(seat) && believesToLead(seat))
        if (leading !== undefined) return leading
        await sleep(20)
      }
    },
    async [Symbol.asyncDispose]() {
      isEnding = true
      clearInterval(sampling)
      await Promise.all(seats.map(({ process }) => process.kill()))
    },
  }
}

/** Since when it has not led, its own lines say. */
function believesToLead({ process: { lines } }: Seat): boolean {
  return lines.findLast(({ msg }) => msg === 'leading' || msg === lostLease)?.msg === 'leading'
}

const lostLease = 'not leading any more'

async function untilDeposed(seat: Seat): Promise<void> {
  while (believesToLead(seat) && peakOf(seat.process) > 0) await sleep(20)
}

function describeSeat({ identity, process: { lines } }: Seat): string {
  const counts = Map.groupBy(lines, ({ msg }) => msg)
  const messages = [...counts].map(([msg, all]) => `${all.length} x ${msg}`).join('; ')
  return `${identity}: ${messages}\n${lines
    .slice(-10)
    .map((line) => JSON.stringify(line))
    .join('\n')}`
}

function note(seat: Seat): void {
  seat.peakMb = Math.max(seat.peakMb, peakOf(seat.process))
}

/** In MB; 0 of a process that has ended. */
function peakOf({ pid }: OperatorProcess): number {
  try {
    return usageOf(pid).peakMb || 0
  } catch {
    return 0
  }
}

/** Kills mostly the leader, some time after it began to lead, and starts it again: mostly at once, else after the other one has taken over. */
export async function killOperators(pair: Pair, rng: () => number, untilMs: number): Promise<{ kills: number; takeOvers: number }> {
  const done = { kills: 0, takeOvers: 0 }
  while (Date.now() < untilMs) {
    const leader = await pair.leader()
    await sleep(rng() * 4_000)
    const [choice, pauseMs] = [rng(), rng() * 1_000]
    const other = pair.seats.find((seat) => seat !== leader) ?? leader
    const victims = choice < 0.7 ? [leader] : choice < 0.85 ? [other] : [leader, other]
    await Promise.all(victims.map((seat) => seat.kill()))
    done.kills += victims.length
    // The other one waits for the end of the Lease: once in a while, because that takes 15 s.
    if (choice < 0.2) {
      await other.process.logged('leading')
      done.takeOvers += 1
    } else await sleep(pauseMs)
    for (const seat of victims) seat.start()
  }
  return done
}

/** Kills Redis, and starts it again with what it had written. */
export async function killRedis(redis: RedisServer, rng: () => number, untilMs: number): Promise<number> {
  let kills = 0
  while (Date.now() < untilMs) {
    await sleep(500 + rng() * 4_000)
    await redis.kill()
    kills += 1
    await sleep(rng() * 1_500)
    await redis.restart()
  }
  return kills
}

/** The leader is killed, and comes back at once. */
export async function killLeader(pair: Pair): Promise<void> {
  const leader = await pair.leader()
  await leader.kill()
  leader.start()
}

/** The leader is killed, and comes back when the other one leads. */
export async function failOver(pair: Pair): Promise<void> {
  const leader = await pair.leader()
  await leader.kill()
  await pair.leader()
  leader.start()
}

/** The leader freezes until the other one leads; then there are two that believe to lead, until it finds that out. */
export async function freezeLeader(pair: Pair): Promise<void> {
  const leader = await pair.leader()
  leader.freeze()
  await pair.leader()
  leader.thaw()
  await untilDeposed(leader)
}

/** The leader loses the API server until the other one leads. */
export async function cutOffLeader(pair: Pair, proxyOf: (seat: Seat) => { cut(): void; mend(): void }): Promise<void> {
  const leader = await pair.leader()
  const proxy = proxyOf(leader)
  proxy.cut()
  await untilDeposed(leader)
  await pair.leader()
  proxy.mend()
}

export type Faults = Readonly<Record<string, () => Promise<unknown>>>

/** What happened, each with its number. */
export type Struck = Readonly<Record<string, number>>

/** Lets these happen one after the other, in an order by chance and some time apart, each once a round: at least one, and until it is over. */
export async function strike(faults: Faults, rng: () => number, isOver: (rounds: number) => boolean): Promise<Struck> {
  const struck: Record<string, number> = {}
  let rounds = 0
  do {
    rounds += 1
    const inOrder = Object.entries(faults).map((fault) => [rng(), fault] as const)
    for (const [, [name, happen]] of inOrder.toSorted(([a], [b]) => a - b)) {
      await sleep(rng() * 2_000)
      await happen()
      struck[name] = (struck[name] ?? 0) + 1
    }
  } while (!isOver(rounds))
  return struck
}
