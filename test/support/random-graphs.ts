/**
 * Random graphs as people would write them, what their handlers do, and what may become of them by the brute-force evaluator. Everything is
 * drawn from a generator with a seed, before anything happens.
 */
import type { EdgeCondition } from '../../src/graph/index.ts'
import { oracleWorlds, worldOf, type OracleGraph, type OracleNode, type OracleOutcome } from './graph-oracle.ts'

/** `idle` has no worker; on `slow` handlers take longer than their nodes have time. */
export const queues = { work: 'work', slow: 'slow', idle: 'idle' } as const

/** What befalls a run, besides its nodes' ends. */
export type Fate = 'Nothing' | 'Cancelled' | 'TimedOut' | 'Deleted' | 'Replaced' | 'Expires'
export const fates = ['Nothing', 'Cancelled', 'TimedOut', 'Deleted', 'Replaced', 'Expires'] as const satisfies readonly Fate[]

export type Wish = {
  readonly fate?: Fate
  /** A first node that times out by itself; whose payload is too large to be added to a queue. */
  readonly first?: 'Late' | 'Refused'
  /** How often it is replaced. */
  readonly times?: number
  /** More nodes than one append takes. */
  readonly isWide?: boolean
}

export type RandomRun = {
  readonly name: string
  readonly fate: Fate
  /** When that befalls it: so long after its creation, or after its begin was announced. */
  readonly afterMs: number
  readonly isAfterBegin: boolean
  /** After each time that it is replaced. */
  readonly pausesMs: readonly number[]
  /** Of the TaskDependency, and of the TaskExecution. */
  readonly graph: object
  readonly run: object
  /** How often the handler of a node that has ended by itself ran. */
  readonly attempts: ReadonlyMap<string, number>
  /** What may have become of it. */
  worlds(): ReadonlySet<string>
  worldOf(nodes: Readonly<Record<string, string>>, outcome: string | undefined): string
}

type Rng = () => number
type Node = { readonly spec: object; readonly oracle: OracleNode; readonly ends: readonly OracleOutcome[]; readonly attempts: number }

const oneOf = <T>(rng: Rng, ...values: readonly [T, ...T[]]): T => values[Math.floor(rng() * values.length)] ?? values[0]

/** How a node may end, and what makes it. */
const ends = {
  Succeeds: { ends: ['Succeeded'], type: 'record', queue: queues.work },
  SucceedsAtLast: { ends: ['Succeeded'], type: 'flaky', queue: queues.work },
  Fails: { ends: ['Failed'], type: 'fail', queue: queues.work },
  IsRefused: { ends: ['Failed'], type: 'record', queue: queues.work },
  IsLate: { ends: ['TimedOut'], type: 'record', queue: queues.idle },
  // It may have ended by the time that anybody leads again.
  IsSlow: { ends: ['TimedOut', 'Succeeded'], type: 'record', queue: queues.slow },
  NeverEnds: { ends: [], type: 'record', queue: queues.idle },
} as const satisfies Record<string, { readonly ends: readonly OracleOutcome[]; readonly type: string; readonly queue: string }>

type End = keyof typeof ends

/** Of 300,000 bytes when it is put together. */
const tooLarge = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`part${index}`, '$(parameters.long)']))

export function drawRun(name: string, rng: Rng, wish: Wish = {}): RandomRun {
  const isFree = Object.keys(wish).length === 0
  const fate = isFree ? oneOf(rng, 'Nothing', 'Nothing', 'Nothing', ...fates) : (wish.fate ?? 'Nothing')
  const onNodeFailure = oneOf(rng, 'Stop', 'Continue')
  const nodes = wish.isWide === true ? wideNodes() : drawNodes(rng, firstEnd(fate, wish), onNodeFailure)
  const oracle: OracleGraph = { nodes: nodes.map((node) => node.oracle), onNodeFailure }
  const endsOf = new Map(nodes.map((node) => [node.oracle.name, node.ends]))
  const of = (isFinally: boolean) => nodes.filter((node) => node.oracle.isFinally === isFinally).map(({ spec }) => spec)
  let worlds: ReadonlySet<string> | undefined
  const worldsOf = () =>
    (worlds ??= oracleWorlds(oracle, (node) => endsOf.get(node) ?? [], fate === 'Cancelled' || fate === 'TimedOut' ? fate : undefined))
  return {
    name,
    fate,
    afterMs: Math.floor(rng() * 1500),
    isAfterBegin: !isFree,
    pausesMs: Array.from({ length: wish.times ?? 1 }, () => (rng() < 0.4 ? 0 : Math.round(rng() * 300))),
    graph: { nodes: of(false), finally: of(true), onNodeFailure, parameters: { yes: true, no: false, long: 'x'.repeat(20_000) } },
    run: {
      dependencyRef: { name },
      ...(fate === 'TimedOut' ? { timeoutSeconds: oneOf(rng, 1, 2) } : {}),
      ...(fate === 'Expires' ? { ttlSecondsAfterFinished: oneOf(rng, 0, 1) } : {}),
    },
    attempts: new Map(nodes.map(({ oracle: { name: node }, attempts }) => [node, attempts])),
    worlds: worldsOf,
    worldOf: (states, outcome) => worldOf(oracle, states, outcome),
  }
}

/** What is stopped has to be under way still. */
function firstEnd(fate: Fate, { first }: Wish): End | undefined {
  if (first !== undefined) return first === 'Late' ? 'IsLate' : 'IsRefused'
  return fate === 'Cancelled' || fate === 'TimedOut' || fate === 'Deleted' ? 'NeverEnds' : undefined
}

function drawNodes(rng: Rng, first: End | undefined, onNodeFailure: 'Stop' | 'Continue'): readonly Node[] {
  const count = 1 + Math.floor(rng() * 8)
  const finallyCount = count > 2 ? Math.floor(rng() * 2) : 0
  return Array.from({ length: count }, (_, index) => {
    const isFinally = index >= count - finallyCount
    const upstream = isFinally ? [] : [...new Set([1, 2].map(() => Math.floor(rng() * (index + 1))))].filter((each) => each < index)
    const dependsOn = upstream.map((each) => ({
      name: `n${each}`,
      condition: oneOf<EdgeCondition>(rng, 'Succeeded', 'Succeeded', 'Failed', 'Completed'),
    }))
    const required = rng() < 0.7
    const drawn = oneOf<End>(rng, 'Succeeds', 'Succeeds', 'Succeeds', 'SucceedsAtLast', 'Fails', 'Fails', 'IsRefused', 'IsLate', 'IsSlow')
    // Which of two comes first would count where a failure without a job stops the run.
    const when = oneOf(rng, 'true', 'true', 'true', 'false', onNodeFailure === 'Continue' || !required ? 'fails' : 'true')
    const isFirst = index === 0 && first !== undefined
    return nodeOf(`n${index}`, { dependsOn, required, isFinally, when: isFirst ? 'true' : when }, isFirst ? first : drawn, rng)
  })
}

function nodeOf(name: string, more: Omit<OracleNode, 'name'>, kind: End, rng: Rng): Node {
  const { ends: own, type, queue } = ends[kind]
  const { isFinally, dependsOn, required, when } = more
  const maxRetries = kind === 'SucceedsAtLast' ? 1 : oneOf(rng, 0, 0, 1)
  const ms = kind === 'IsSlow' ? 2500 : Math.floor(rng() * 30)
  const asked = { true: 'parameters.yes', false: 'parameters.no', fails: 'parameters.missing' }[when]
  const spec = {
    name,
    ...(isFinally ? {} : { dependsOn }),
    required,
    when: asked,
    ...(kind === 'IsLate' || kind === 'IsSlow' ? { timeoutSeconds: 1 } : {}),
    task: {
      type,
      queue,
      payload: kind === 'IsRefused' ? tooLarge : { ms },
      retry: { maxRetries, initialDelaySeconds: 0 },
    },
  }
  const attempts = kind === 'IsRefused' || queue === queues.idle ? 0 : kind === 'Fails' ? maxRetries + 1 : kind === 'SucceedsAtLast' ? 2 : 1
  return { spec, oracle: { name, ...more }, ends: own, attempts }
}

/** None of them runs. */
function wideNodes(): readonly Node[] {
  return Array.from({ length: 532 }, (_, index) => {
    const oracle: OracleNode = { name: `n${index}`, dependsOn: [], when: 'false', required: true, isFinally: index >= 500 }
    const spec = { name: oracle.name, when: 'parameters.no', task: { type: 'record', queue: queues.work } }
    return { spec, oracle, ends: [], attempts: 0 }
  })
}
