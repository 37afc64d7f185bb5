/** Runs as the tests of this folder write them. */
import type { TaskExecution } from '../../api/index.ts'
import { applyEntry, createRun, type Ended, type PlanNode, type Run, type RunEntry, type RunPlan } from '../../graph/index.ts'
import type { World } from './gather.ts'

export const begunAtMs = Date.UTC(2026, 10, 29, 4)

export const executionOf = (spec: object = { dependencyRef: { name: 'morning' } }): TaskExecution =>
  ({
    metadata: { namespace: 'acme', name: 'x7k2p', uid: 'u1', generation: 2 },
    spec: { desiredState: 'Running', ...spec },
  }) as unknown as TaskExecution

export function nodeOf(name: string, dependsOn: readonly string[] = [], more: Partial<PlanNode> = {}): PlanNode {
  return {
    name,
    dependsOn: dependsOn.map((each) => ({ name: each, condition: 'Succeeded' })),
    required: true,
    task: { type: name, queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 10 } },
    ...more,
  }
}

type Entry = Exclude<RunEntry, { readonly kind: 'Begun' }> extends infer E ? (E extends unknown ? Omit<E, 'v'> : never) : never

/** A run with these nodes, and what was recorded of it since its begin. */
export function runOf(nodes: readonly PlanNode[], entries: readonly Entry[] = [], more: Partial<RunPlan> = {}): Run {
  const plan: RunPlan = { name: 'x7k2p', nodes, finally: [], onNodeFailure: 'Stop', parameters: {}, ...more }
  const run = createRun()
  applyEntry(run, { v: 1, kind: 'Begun', atMs: begunAtMs, token: 'abc', plan })
  for (const entry of entries) applyEntry(run, { v: 1, ...entry })
  return run
}

export const started = (node: string, afterMs = 0) => ({ kind: 'Started', atMs: begunAtMs + afterMs, node }) as const

export function ended(node: string, outcome: Ended['outcome'], afterMs: number, more: Partial<Ended> = {}): Omit<Ended, 'v'> {
  const reason = outcome === 'Failed' ? 'AttemptsExhausted' : outcome
  return { kind: 'Ended', atMs: begunAtMs + afterMs, node, outcome, reason, ...more }
}

export function worldOf(more: Partial<World> = {}): World {
  return {
    execution: executionOf(),
    status: undefined,
    situation: { kind: 'Driven' },
    broker: 'default',
    dependency: 'morning',
    run: undefined,
    isContinued: false,
    whereabouts: new Map(),
    notLookedAt: new Set(),
    jobOf: () => undefined,
    executionOf: () => undefined,
    nowMs: begunAtMs + 60_000,
    ...more,
  }
}
