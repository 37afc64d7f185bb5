/**
 * Random graphs with random ends, in random order, against the brute-force evaluator: after every event the same nodes have started, each
 * once, and every node and the run are in the same state, whatever the engine forgets in between.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  oracleBegin,
  oracleEnd,
  oracleOutcome,
  oracleStop,
  type OracleGraph,
  type OracleNode,
  type OracleOutcome,
  type OracleState,
} from '../../test/support/graph-oracle.ts'
import { nodeOf, planOf } from './fixtures.ts'
import {
  applyEntry,
  compileGraph,
  createRun,
  foldRun,
  nextRunStep,
  viewNodes,
  notePlaced,
  noteRemoved,
  viewRun,
  type NodeEnd,
  type PlanNode,
  type Removal,
  type Run,
  type RunKnowledge,
} from './index.ts'

type Drawn = {
  readonly edges: readonly (readonly { readonly to: number; readonly condition: 'Succeeded' | 'Failed' | 'Completed' }[])[]
  readonly nodes: readonly {
    readonly when: 'none' | 'true' | 'false' | 'fails'
    readonly required: boolean
    readonly fails: boolean
    readonly timeoutSeconds: number | undefined
  }[]
  readonly finallyCount: number
  readonly onNodeFailure: 'Stop' | 'Continue'
  readonly timeoutSeconds: number | undefined
  readonly events: readonly {
    readonly kind: number
    readonly pick: number
    readonly more: number
    readonly removal: Removal
    readonly forget: boolean
  }[]
}

const timeout = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined })
const drawn: fc.Arbitrary<Drawn> = fc.integer({ min: 1, max: 12 }).chain((count) =>
  fc.record({
    edges: fc.tuple(
      ...Array.from({ length: count }, (_, index) =>
        index === 0
          ? fc.constant([])
          : fc.uniqueArray(
              fc.record({ to: fc.nat(index - 1), condition: fc.constantFrom('Succeeded', 'Succeeded', 'Failed', 'Completed') }),
              { maxLength: 3, selector: ({ to }) => to },
            ),
      ),
    ),
    nodes: fc.array(
      fc.record({
        when: fc.constantFrom('none', 'none', 'none', 'true', 'false', 'fails'),
        required: fc.boolean(),
        fails: fc.constantFrom(false, false, true),
        timeoutSeconds: timeout,
      }),
      { minLength: count, maxLength: count },
    ),
    finallyCount: fc.nat({ max: Math.min(2, count - 1) }),
    onNodeFailure: fc.constantFrom('Stop', 'Continue'),
    timeoutSeconds: timeout,
    events: fc.array(
      fc.record({
        kind: fc.nat(9),
        pick: fc.nat(1_000),
        more: fc.constantFrom(0, 0, 1, 2),
        removal: fc.constantFrom('Removed', 'Running', 'Ended', 'Absent'),
        forget: fc.boolean(),
      }),
      { minLength: 40, maxLength: 40 },
    ),
  }),
)

/** The same graph for both, with the nodes in an order of its own: those that depend on others need not stand behind them. */
function graphsOf(chosen: Drawn) {
  const first = chosen.nodes.length - chosen.finallyCount
  const parts = chosen.nodes.map((node, index) => {
    const isFinally = index >= first
    const dependsOn = isFinally ? [] : (chosen.edges[index] ?? []).map(({ to, condition }) => ({ name: `n${to}`, condition }))
    // Which of two comes first would count where a failure of an expression stops the run.
    const fails = node.when === 'fails' && (chosen.onNodeFailure === 'Continue' || !node.required)
    const when = node.when === 'false' ? 'false' : fails ? 'fails' : 'true'
    const asked = { true: 'parameters.yes', false: 'parameters.no', fails: 'parameters.missing' }[when]
    const plan: PlanNode = nodeOf(`n${index}`, [], {
      dependsOn,
      required: node.required,
      ...(node.when === 'none' ? {} : { when: asked }),
      ...(node.timeoutSeconds === undefined ? {} : { timeoutSeconds: node.timeoutSeconds }),
    })
    const oracle: OracleNode = { name: `n${index}`, dependsOn, when, required: node.required, isFinally }
    return { plan, oracle }
  })
  const plan = planOf(
    parts
      .slice(0, first)
      .map((each) => each.plan)
      .toReversed(),
    {
      finally: parts.slice(first).map((each) => each.plan),
      onNodeFailure: chosen.onNodeFailure,
      parameters: { yes: true, no: false },
      ...(chosen.timeoutSeconds === undefined ? {} : { timeoutSeconds: chosen.timeoutSeconds }),
    },
  )
  const oracle: OracleGraph = { nodes: parts.map((each) => each.oracle), onNodeFailure: chosen.onNodeFailure }
  return { plan, oracle }
}

/** Plays it to its end, and returns the outcomes that were seen on the way. */
function play(chosen: Drawn): readonly string[] {
  const { plan, oracle } = graphsOf(chosen)
  const compiled = compileGraph(plan)
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults))
  const begin = { token: 't', graph: compiled.graph }
  const indexOf = (name: string): number => Number(name.slice(1))
  const endOf = (name: string): NodeEnd =>
    chosen.nodes[indexOf(name)]?.fails === true
      ? { node: name, outcome: 'Failed', reason: 'AttemptsExhausted' }
      : { node: name, outcome: 'Succeeded', reason: 'Succeeded' }
  let run: Run = createRun()
  const log: string[] = []
  const started = new Map<string, number>()
  const effects = new Set<string>()
  let nowMs = 1_000
  let isCancelled = false
  let ended: readonly NodeEnd[] = []
  let removals: (name: string) => Removal = () => 'Removed'
  const settle = (): number | undefined => {
    for (;;) {
      const knowledge: RunKnowledge = { desired: isCancelled ? 'Cancelled' : 'Running', ended, begin }
      const step = nextRunStep(run, knowledge, nowMs)
      if (step.kind === 'Wait') return step.untilMs
      if (step.kind === 'Append') {
        for (const entry of step.entries) {
          log.push(JSON.stringify(entry))
          applyEntry(run, entry)
          if (entry.kind === 'Started') started.set(entry.node, (started.get(entry.node) ?? 0) + 1)
        }
      } else if (step.kind === 'Place') {
        for (const { name } of step.nodes) effects.add(name)
        notePlaced(
          run,
          step.nodes.map(({ name }) => name),
        )
      } else if (step.kind === 'Remove') {
        for (const name of step.nodes) noteRemoved(run, name, removals(name))
      } else if (step.kind === 'Acknowledge') {
        ended = ended.filter(({ node }) => !step.nodes.includes(node))
      } else throw new Error(step.kind)
    }
  }
  const same = (state: OracleState): void => {
    const states = { Running: 'Running', Stopping: 'Running' } as Readonly<Record<string, string>>
    expect(Object.fromEntries(viewNodes(run).map(({ name, state: own }) => [name, states[own] ?? own]))).toEqual(
      Object.fromEntries(state.nodes),
    )
    expect([...started.values()].every((count) => count === 1)).toBe(true)
    expect(new Set(started.keys())).toEqual(state.started)
    expect(effects).toEqual(state.started)
    expect(viewRun(run)?.finished?.outcome).toBe(oracleOutcome(oracle, state))
  }

  const [firstEvent] = chosen.events
  isCancelled = firstEvent?.kind === 9
  settle()
  let state = oracleBegin(oracle, isCancelled ? 'Cancelled' : undefined)
  const startedAt = new Map([...state.started].map((name) => [name, nowMs]))
  const isPending = (): boolean =>
    oracle.nodes.some(({ name, isFinally }) => !isFinally && ['Pending', 'Running'].includes(state.nodes.get(name) ?? ''))
  const running = (): readonly string[] => [...state.nodes].filter(([, each]) => each === 'Running').map(([name]) => name)
  /** Those whose effects have ended already when they are to be taken back end as they really did, and later than the others. */
  const endStopped = (names: readonly string[], outcome: OracleOutcome, withRun: boolean, removal: Removal): void => {
    const late = removal === 'Ended' ? names.filter((_, index) => index % 2 === 0) : []
    removals = (name) => (late.includes(name) ? 'Ended' : removal === 'Ended' ? 'Removed' : removal)
    settle()
    state = oracleEnd(
      oracle,
      state,
      new Map(names.filter((name) => !late.includes(name)).map((name) => [name, outcome])),
      new Set(withRun ? names : []),
    )
    if (late.length === 0) return
    ended = late.map(endOf)
    settle()
    state = oracleEnd(oracle, state, new Map(late.map((name) => [name, endOf(name).outcome])))
  }
  same(state)
  for (const { kind, pick, more, removal, forget } of chosen.events) {
    for (const name of state.started) if (!startedAt.has(name)) startedAt.set(name, nowMs)
    if (forget) {
      const folded = foldRun(log)
      if (!folded.ok) throw new Error(folded.message)
      ;({ run } = folded)
    }
    const active = running()
    if (active.length === 0) break
    const deadlineOf = (name: string): number =>
      (startedAt.get(name) ?? 0) + (chosen.nodes[indexOf(name)]?.timeoutSeconds ?? Infinity) * 1000
    const runDeadline = isPending() && state.stop === undefined ? 1_000 + (chosen.timeoutSeconds ?? Infinity) * 1000 : Infinity
    const next = Math.min(runDeadline, ...active.map(deadlineOf))
    if (kind === 8 && !isCancelled) {
      isCancelled = true
      if (isPending() && state.stop === undefined) {
        state = oracleStop(oracle, state, 'Cancelled')
        endStopped(active, 'Cancelled', true, removal)
      }
    } else if (kind >= 6 && next < Infinity) {
      nowMs = next
      if (runDeadline === next) state = oracleStop(oracle, state, 'TimedOut')
      const over = runDeadline === next ? active : active.filter((name) => deadlineOf(name) <= next)
      endStopped(over, 'TimedOut', runDeadline === next, removal)
    } else {
      const some = [...new Set(Array.from({ length: more + 1 }, (_, index) => active[(pick + index) % active.length] ?? ''))]
      ended = some.map(endOf)
      state = oracleEnd(oracle, state, new Map(some.map((name) => [name, endOf(name).outcome])))
    }
    const untilMs = settle()
    same(state)
    if (running().length === 0) expect(untilMs).toBeUndefined()
  }
  return [...new Set([...state.nodes.values(), `run ${oracleOutcome(oracle, state)}`])]
}

it('equals the brute-force evaluator', { timeout: 120_000 }, () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(drawn, (chosen) => {
      for (const outcome of play(chosen)) seen.add(outcome)
    }),
    { numRuns: 1_000 },
  )
  const outcomes = ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped']
  expect([...seen]).toEqual(expect.arrayContaining([...outcomes, 'Omitted', ...outcomes.map((outcome) => `run ${outcome}`)]))
})
