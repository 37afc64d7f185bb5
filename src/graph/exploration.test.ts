/**
 * A run under every interleaving of small cases: two leaders run the real `nextRunStep` against a model of the broker (a log appended by
 * compare-and-swap on its length with a fence; done jobs, jobs, workers), and may lose their memory after every step, while jobs start and
 * end, time passes, and the run is cancelled, deleted, or deleted and created again. All reachable states are visited; in each the rules below hold, and from each a
 * lone leader comes to rest in what the brute-force evaluator says.
 */
import { describe, expect, it } from 'vitest'
import { explore as exploreWorlds } from '../../test/support/explore.ts'
import { oracleBegin, oracleEnd, oracleOutcome, type OracleGraph, type OracleOutcome } from '../../test/support/graph-oracle.ts'
import { jobOf as jobTemplateOf, nodeOf, planOf } from './fixtures.ts'
import {
  archiveOf,
  compileGraph,
  foldRun,
  nextRunStep,
  notePlaced,
  noteRemoved,
  type NodeEnd,
  type Removal,
  type RunEntry,
  type RunPlan,
  type RunStep,
} from './index.ts'

type Desired = 'Running' | 'Paused' | 'Cancelled' | 'Deleted'

/** `Ready` waits in the queue; a removed job is not there. `runs` counts how often a worker has taken it. */
type JobModel = { readonly state: 'Ready' | 'Running' | 'Ended'; readonly runs: number; readonly hasDone: boolean }

type LeaderModel = {
  readonly epoch: number
  /** What it believes is stored; undefined: it has to read. */
  readonly seen?: readonly string[]
  readonly placed: readonly string[]
  readonly removed: readonly (readonly [string, Removal])[]
  /** The step that it has decided on and not carried out yet: anything may happen in between. */
  readonly step?: RunStep
}

type World = {
  readonly now: number
  readonly edits: number
  readonly log: readonly string[]
  /** What the log was before it was archived. */
  readonly archived?: readonly string[] | undefined
  /** The highest epoch that the broker has seen. */
  readonly epoch: number
  /** By token and node. */
  readonly jobs: readonly (readonly [string, JobModel])[]
  readonly leaders: readonly (LeaderModel | undefined)[]
  readonly crashes: number
}

type Scenario = {
  readonly name: string
  readonly plan: RunPlan
  /** Nodes whose jobs fail. */
  readonly fails?: readonly string[]
  /** Seconds that pass. */
  readonly until?: number
  readonly crashes: number
  /** Once it has finished, its log may be archived at any time. */
  readonly isArchived?: true
  /** What is wanted after each edit; the first holds at the start. After `Deleted` it is another object of the same name that wants it. */
  readonly desired: readonly Desired[]
}

/** What a broken product would do otherwise; each has to be found. */
type Mutation = {
  readonly step?: (step: RunStep, world: World) => RunStep
  readonly unfenced?: true
  readonly blindAppends?: true
  /** What is kept of a log that must not be archived. */
  readonly archivesEarly?: (log: readonly string[]) => RunEntry | undefined
  /** Effects that are believed to have happened. */
  readonly withoutEffect?: 'Place' | 'Remove'
}

/** Of which object's run a log is; each has jobs of its own. */
function tokenOf(log: readonly string[]): string {
  const [first] = entriesOf(log.slice(0, 1))
  return first?.kind === 'Begun' || first?.kind === 'Archived' ? first.token : 'none'
}

const isOf = (id: string, log: readonly string[]): boolean => id.startsWith(`${tokenOf(log)}/`)
const nodeIn = (id: string): string => id.slice(id.indexOf('/') + 1)
const jobOf = (world: World, id: string): JobModel | undefined => world.jobs.find(([each]) => each === id)?.[1]

function withJob(world: World, id: string, job: JobModel | undefined): World {
  const others = world.jobs.filter(([each]) => each !== id)
  const jobs = job === undefined ? others : [...others, [id, job] as const]
  return { ...world, jobs: jobs.toSorted(([a], [b]) => (a < b ? -1 : 1)) }
}

const endOf = (scenario: Pick<Scenario, 'fails'>, node: string): NodeEnd =>
  scenario.fails?.includes(node) === true
    ? { node, outcome: 'Failed', reason: 'AttemptsExhausted' }
    : { node, outcome: 'Succeeded', reason: 'Succeeded' }

const endsOf = (world: World, log: readonly string[], scenario: Pick<Scenario, 'fails'>): readonly NodeEnd[] =>
  world.jobs.filter(([id, { state, hasDone }]) => isOf(id, log) && state === 'Ended' && hasDone).map(([id]) => endOf(scenario, nodeIn(id)))

const desiredOf = (world: World, scenario: Scenario): Desired => scenario.desired[world.edits] ?? 'Running'

/** What a run that is begun now goes by. */
const wantedToken = (world: World, scenario: Scenario): string =>
  `t${scenario.desired.slice(0, world.edits).filter((each) => each === 'Deleted').length}`

const decided = new Map<string, RunStep>()

/** Everything that one decision of a leader may depend on. */
function decide(world: World, leader: LeaderModel, scenario: Scenario, mutation: Mutation): RunStep {
  const { seen = [], placed, removed } = leader
  const ended = endsOf(world, seen, scenario)
  const desired = desiredOf(world, scenario)
  const token = wantedToken(world, scenario)
  const key = JSON.stringify([scenario.name, seen, placed, removed, ended.map(({ node }) => node), desired, token, world.now])
  let step = decided.get(key)
  if (step === undefined) {
    const folded = foldRun(seen)
    if (!folded.ok) throw new Error(folded.message)
    const compiled = compileGraph(scenario.plan)
    if (!compiled.ok) throw new Error('the plan has faults')
    notePlaced(folded.run, placed)
    for (const [node, removal] of removed) noteRemoved(folded.run, node, removal)
    const begin = { token, graph: compiled.graph }
    step = nextRunStep(folded.run, { desired, ended, begin }, world.now * 1000)
    decided.set(key, step)
  }
  return mutation.step?.(step, world) ?? step
}

/** The broker's part of a step, and what the leader learns by it. Every step is one atomic script there. */
function carryOut(world: World, at: number, leader: LeaderModel, step: RunStep, scenario: Scenario, mutation: Mutation): World {
  const { step: _, ...idle } = leader
  const withLeader = (changed: World, next: LeaderModel): World => ({ ...changed, leaders: changed.leaders.with(at, next) })
  const ignorant: LeaderModel = { epoch: leader.epoch, placed: [], removed: [] }
  const { seen = [] } = leader
  const idOf = (node: string): string => `${seen.length === 0 ? wantedToken(world, scenario) : tokenOf(seen)}/${node}`
  if (step.kind === 'Wait') return withLeader(world, idle)
  if (leader.epoch < world.epoch && mutation.unfenced !== true) return withLeader(world, ignorant)
  switch (step.kind) {
    case 'Append':
    case 'Delete': {
      if (leader.seen?.length !== world.log.length && mutation.blindAppends !== true) return withLeader(world, ignorant)
      const log = step.kind === 'Append' ? [...world.log, ...step.entries.map((entry) => JSON.stringify(entry))] : []
      const { archived: __, ...others } = world
      return withLeader({ ...others, log }, step.kind === 'Append' ? { ...idle, seen: log } : { ...ignorant, seen: log })
    }
    case 'Place': {
      let next = world
      const nodes = step.nodes.map(({ name }) => name)
      for (const node of mutation.withoutEffect === 'Place' ? [] : nodes) {
        if (jobOf(next, idOf(node)) === undefined) next = withJob(next, idOf(node), { state: 'Ready', runs: 0, hasDone: true })
      }
      const removed = leader.removed.filter(([node]) => !nodes.includes(node))
      return withLeader(next, { ...idle, placed: [...new Set([...leader.placed, ...nodes])].toSorted(), removed })
    }
    case 'Remove': {
      let next = world
      const results = step.nodes.map((node) => {
        if (mutation.withoutEffect === 'Remove') return [node, 'Removed'] as const
        const job = jobOf(next, idOf(node))
        if (job === undefined) return [node, 'Absent'] as const
        if (job.state !== 'Ready') return [node, job.state] as const
        next = withJob(next, idOf(node), undefined)
        return [node, 'Removed'] as const
      })
      const others = leader.removed.filter(([node]) => !step.nodes.includes(node))
      const placed = leader.placed.filter((node) => !step.nodes.includes(node))
      return withLeader(next, { ...idle, placed, removed: [...others, ...results].toSorted(([a], [b]) => (a < b ? -1 : 1)) })
    }
    case 'Acknowledge': {
      let next = world
      for (const node of step.nodes) {
        const job = jobOf(next, idOf(node))
        if (job?.state === 'Ended') next = withJob(next, idOf(node), { ...job, hasDone: false })
      }
      return withLeader(next, idle)
    }
  }
}

/** A deleted run that has no log is done with; a leader that has deleted another's looks again. */
const isAtRest = (step: RunStep, world: World): boolean => step.kind === 'Wait' || (step.kind === 'Delete' && world.log.length === 0)

/** The leader's sweep replaces the log by one entry, beside whatever the leader does about the run; by one script, as every step. */
function archive(world: World, leader: LeaderModel, mutation: Mutation): World | undefined {
  const folded = foldRun(world.log)
  if (!folded.ok || leader.epoch < world.epoch) return undefined
  const entry = archiveOf(folded.run, Infinity) ?? mutation.archivesEarly?.(world.log)
  return entry === undefined ? undefined : { ...world, log: [JSON.stringify(entry)], archived: world.log }
}

/** All that may happen next. */
function successors(world: World, scenario: Scenario, mutation: Mutation): World[] {
  const next: World[] = []
  if (world.now < (scenario.until ?? 0)) next.push({ ...world, now: world.now + 1 })
  if (world.edits + 1 < scenario.desired.length) next.push({ ...world, edits: world.edits + 1 })
  for (const [node, job] of world.jobs) {
    if (job.state === 'Ready') next.push(withJob(world, node, { ...job, state: 'Running', runs: job.runs + 1 }))
    if (job.state === 'Running') next.push(withJob(world, node, { ...job, state: 'Ended' }))
  }
  for (const [at, leader] of world.leaders.entries()) {
    if (leader === undefined) continue
    const archived = scenario.isArchived === true ? archive(world, leader, mutation) : undefined
    if (archived !== undefined) next.push(archived)
    const put = (changed: LeaderModel): void => void next.push({ ...world, leaders: world.leaders.with(at, changed) })
    if (leader.step !== undefined) next.push(carryOut(world, at, leader, leader.step, scenario, mutation))
    else if (leader.seen === undefined) put({ epoch: leader.epoch, placed: [], removed: [], seen: world.log })
    else {
      const step = decide(world, leader, scenario, mutation)
      if (!isAtRest(step, world)) put({ ...leader, step })
    }
    if (world.crashes < scenario.crashes && (leader.seen !== undefined || leader.step !== undefined)) {
      next.push({ ...world, crashes: world.crashes + 1, leaders: world.leaders.with(at, { epoch: leader.epoch, placed: [], removed: [] }) })
    }
  }
  // A second leader comes, with a higher epoch; the first knows nothing of it.
  if (world.leaders[1] === undefined) next.push({ ...world, epoch: 2, leaders: [world.leaders[0], { epoch: 2, placed: [], removed: [] }] })
  return next
}

const entriesOf = (log: readonly string[]): readonly RunEntry[] => log.map((document) => JSON.parse(document) as RunEntry)

/** What must never be, not for a moment. */
function broken(world: World, scenario: Scenario): string | undefined {
  const entries = entriesOf(world.log)
  const count = (kind: RunEntry['kind'], node: string): number =>
    entries.filter((entry) => entry.kind === kind && 'node' in entry && entry.node === node).length
  if (world.archived !== undefined) {
    if (entries.length !== 1) return 'something was written after the archive'
    return broken({ ...world, log: world.archived, archived: undefined }, scenario)
  }
  if (entries.slice(0, -1).some(({ kind }) => kind === 'Finished')) return 'something was written after the end of the run'
  for (const [id, { state, runs }] of world.jobs) {
    if (runs > 1) return `${id} ran ${runs} times`
    if (state === 'Ready' && !isOf(id, world.log)) return `${id} can still run, and its run is forgotten`
  }
  const isWanted = desiredOf(world, scenario) !== 'Deleted' && entries.at(-1)?.kind !== 'Deleting'
  for (const { name } of [...scenario.plan.nodes, ...scenario.plan.finally]) {
    if (count('Started', name) > 1) return `${name} was started twice`
    if (count('Ended', name) > 1) return `${name} has two ends`
    const job = jobOf(world, `${tokenOf(world.log)}/${name}`)
    const end = entries.find((entry) => entry.kind === 'Ended' && entry.node === name)
    const outcome = end?.kind === 'Ended' ? end.outcome : undefined
    if (job !== undefined && count('Started', name) === 0) return `${name} has a job that the log knows nothing of`
    if ((outcome === 'Cancelled' || outcome === 'TimedOut') && job?.state === 'Ready')
      return `${name} is ${outcome}, and its job can still run`
    if ((outcome === 'Succeeded' || outcome === 'Failed') && job?.state !== 'Ended') return `${name} is ${outcome}, and its job is not`
    if (isWanted && job?.state === 'Ended' && !job.hasDone && outcome === undefined) return `the end of ${name} is lost`
  }
  return undefined
}

/** A lone leader with the highest epoch, and workers that take what there is, until nothing changes any more. */
function settle(world: World, scenario: Scenario, mutation: Mutation): World {
  let current: World = {
    ...world,
    now: scenario.until ?? 0,
    edits: scenario.desired.length - 1,
    leaders: [undefined, { epoch: world.epoch, placed: [], removed: [] }],
  }
  for (let steps = 0; steps < 500; steps++) {
    const [node, job] = current.jobs.find(([, { state }]) => state !== 'Ended') ?? []
    if (node !== undefined && job !== undefined) {
      const isReady = job.state === 'Ready'
      current = withJob(current, node, { ...job, state: isReady ? 'Running' : 'Ended', runs: job.runs + (isReady ? 1 : 0) })
      continue
    }
    const [, leader] = current.leaders
    if (leader === undefined) throw new Error('no leader')
    const informed: LeaderModel = leader.seen === undefined ? { ...leader, seen: current.log } : leader
    const step = decide(current, informed, scenario, mutation)
    if (isAtRest(step, current)) return current
    current = carryOut({ ...current, leaders: [undefined, informed] }, 1, informed, step, scenario, mutation)
  }
  throw new Error('does not come to rest')
}

/** What is wrong with a world at rest. */
function unaccounted(world: World, scenario: Scenario): string | undefined {
  if (scenario.desired.at(-1) === 'Deleted') {
    if (world.log.length > 0) return 'the log is still there'
    return world.jobs.some(([, { state }]) => state === 'Ready') ? 'a job of a deleted run is still there' : undefined
  }
  const left = world.jobs.find(([id, { hasDone }]) => hasDone && isOf(id, world.log))
  if (left !== undefined) return `the end of ${left[0]} is not acknowledged`
  const told = retold({ ...world, log: world.archived ?? world.log }, scenario)
  const finished = entriesOf(world.log).find(({ kind }) => kind === 'Finished' || kind === 'Archived')
  if (finished?.kind !== 'Finished' && finished?.kind !== 'Archived') return 'the run has not finished'
  return finished.outcome === told.outcome ? told.difference : `the run is ${finished.outcome}, and should be ${told.outcome}`
}

/** The evaluator receives what happened, in the order of the log, and says what had to follow. */
function retold({ log }: World, { plan }: Scenario): { readonly outcome: string | undefined; readonly difference: string | undefined } {
  const nodes = [...plan.nodes, ...plan.finally].map(({ name, dependsOn, required }, index) => ({
    name,
    dependsOn,
    required,
    when: 'true' as const,
    isFinally: index >= plan.nodes.length,
  }))
  const graph: OracleGraph = { nodes, onNodeFailure: plan.onNodeFailure }
  const entries = entriesOf(log)
  const started = new Set(entries.flatMap((entry) => (entry.kind === 'Started' ? [entry.node] : [])))
  const isCancelledFirst = entries[1]?.kind === 'Cancelling'
  let state = oracleBegin(graph, isCancelledFirst ? 'Cancelled' : undefined)
  let ends = new Map<string, OracleOutcome>()
  const stoppedWithRun = new Set<string>()
  for (const entry of entries) {
    if (entry.kind === 'Ended' && started.has(entry.node)) {
      ends.set(entry.node, entry.outcome)
      continue
    }
    // What ended just before is known when it is decided what follows from the stop.
    const stop = entry.kind === 'Cancelling' ? 'Cancelled' : entry.kind === 'TimedOut' ? 'TimedOut' : state.stop
    state = oracleEnd(graph, { ...state, stop }, ends, stoppedWithRun)
    ends = new Map()
    const isInGraph = entry.kind === 'Stopping' && plan.nodes.some(({ name }) => name === entry.node)
    if (isInGraph && state.stop === 'TimedOut') stoppedWithRun.add(entry.node)
  }
  const own = Object.fromEntries(entries.flatMap((entry) => (entry.kind === 'Ended' ? [[entry.node, entry.outcome]] : [])))
  const different = nodes.find(({ name }) => own[name] !== state.nodes.get(name))
  return {
    outcome: oracleOutcome(graph, state),
    difference: different && `${different.name} is ${own[different.name]}, and should be ${state.nodes.get(different.name)}`,
  }
}

function explore(scenario: Scenario, mutation: Mutation = {}): { readonly states: number; readonly problem: string | undefined } {
  const start: World = {
    now: 0,
    edits: 0,
    log: [],
    epoch: 1,
    jobs: [],
    leaders: [{ epoch: 1, placed: [], removed: [] }, undefined],
    crashes: 0,
  }
  // What a leader has seen is mostly the beginning of what is there.
  const keyOf = (world: World): string => {
    const seenAs = (seen: readonly string[] | undefined): unknown =>
      seen?.every((entry, index) => entry === world.log[index]) === true ? seen.length : seen
    return JSON.stringify({ ...world, leaders: world.leaders.map((leader) => leader && { ...leader, seen: seenAs(leader.seen) }) })
  }
  const settled = new Map<string, string | undefined>()
  return exploreWorlds(start, {
    keyOf,
    successors: (world) => successors(world, scenario, mutation),
    problemOf: (world) => broken(world, scenario) ?? restProblem(world, scenario, mutation, settled),
  })
}

/** The way to rest depends on the broker alone, so that it is looked for once per state of the broker. */
function restProblem(world: World, scenario: Scenario, mutation: Mutation, settled: Map<string, string | undefined>): string | undefined {
  const key = JSON.stringify([world.log, world.archived, world.jobs, world.epoch])
  if (!settled.has(key)) {
    let problem: string | undefined
    try {
      const rest = settle(world, scenario, mutation)
      problem = broken(rest, scenario) ?? unaccounted(rest, scenario)
    } catch (error) {
      problem = String(error)
    }
    settled.set(key, problem)
  }
  return settled.get(key)
}

const chain = planOf([nodeOf('a'), nodeOf('b', ['a'])])
const scenarios: readonly Scenario[] = [
  { name: 'one after the other', plan: chain, crashes: 2, desired: ['Running'] },
  {
    name: 'two at once, then one after both',
    plan: planOf([nodeOf('a'), nodeOf('b'), nodeOf('c', ['a', 'b'])]),
    crashes: 1,
    desired: ['Running'],
  },
  {
    name: 'a failure, and a node that reacts',
    plan: planOf([nodeOf('a'), nodeOf('b', ['a Failed']), nodeOf('c', ['a'])]),
    fails: ['a'],
    crashes: 1,
    desired: ['Running'],
  },
  {
    name: 'a failure, racing with the nodes that it stops',
    plan: planOf([nodeOf('a'), nodeOf('c'), nodeOf('d', ['c'])]),
    fails: ['a'],
    crashes: 0,
    desired: ['Running'],
  },
  { name: 'cancelled, racing with starts and ends', plan: chain, crashes: 1, desired: ['Running', 'Cancelled'] },
  { name: 'paused and continued, racing with starts and ends', plan: chain, crashes: 1, desired: ['Running', 'Paused', 'Running'] },
  { name: 'paused from the begin, then cancelled', plan: chain, crashes: 0, desired: ['Paused', 'Cancelled'] },
  {
    name: 'cancelled, with finally',
    plan: planOf([nodeOf('a')], { finally: [nodeOf('z')] }),
    crashes: 1,
    desired: ['Running', 'Cancelled'],
  },
  {
    name: 'the time limit of a node, racing with its end',
    plan: planOf([nodeOf('a', [], { timeoutSeconds: 1 }), nodeOf('b', ['a Failed'])]),
    until: 1,
    crashes: 1,
    desired: ['Running'],
  },
  {
    name: 'the time limit of the run, racing with ends',
    plan: planOf(chain.nodes, { timeoutSeconds: 1, finally: [nodeOf('z')] }),
    until: 1,
    crashes: 0,
    desired: ['Running'],
  },
  {
    name: 'deleted, racing with starts and ends',
    plan: planOf(chain.nodes, { finally: [nodeOf('z')] }),
    crashes: 1,
    desired: ['Running', 'Deleted'],
  },
  { name: 'deleted and recreated', plan: chain, crashes: 1, desired: ['Running', 'Deleted', 'Running'] },
  {
    name: 'a Job and its downstream node, cancelled',
    plan: planOf([nodeOf('a', [], { job: jobTemplateOf([{}]) }), nodeOf('b', ['a'])]),
    crashes: 1,
    desired: ['Running', 'Cancelled'],
  },
  { name: 'archived after its end', plan: chain, crashes: 1, isArchived: true, desired: ['Running'] },
  { name: 'cancelled, and archived', plan: chain, crashes: 0, isArchived: true, desired: ['Running', 'Cancelled'] },
  {
    name: 'archived, then deleted and recreated',
    plan: planOf([nodeOf('a')]),
    crashes: 1,
    isArchived: true,
    desired: ['Running', 'Deleted', 'Running'],
  },
  { name: 'cancelled, then deleted', plan: chain, crashes: 0, desired: ['Running', 'Cancelled', 'Deleted'] },
]

describe('every interleaving', () => {
  it.each(scenarios)('$name', (scenario) => {
    const { states, problem } = explore(scenario)
    process.stdout.write(`${scenario.name}: ${states} states\n`)
    expect(problem).toBeUndefined()
  })
})

type Appended = Extract<RunStep, { kind: 'Append' }>
const onAppend = (change: (step: Appended, world: World) => RunStep): Mutation => ({
  step: (step, world) => (step.kind === 'Append' ? change(step, world) : step),
})
const startedBy = (step: Appended): readonly string[] => step.entries.flatMap((entry) => (entry.kind === 'Started' ? [entry.node] : []))
const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }

const racingWithCancel = 'cancelled, racing with starts and ends'

/** `scenario`: where it is to be found, if not in the first that comes. */
const mutations: Readonly<Record<string, { readonly mutation: Mutation; readonly found: RegExp; readonly scenario?: string }>> = {
  'appends are neither fenced nor compared': { mutation: { unfenced: true, blindAppends: true }, found: /twice|two ends|Begun/u },
  'a former leader is not fenced': { mutation: { unfenced: true }, found: /can still run/u, scenario: racingWithCancel },
  'an effect comes before its intent': {
    mutation: onAppend((step, world) => {
      const nodes = startedBy(step).filter((node) => jobOf(world, `t0/${node}`) === undefined)
      return nodes.length > 0 ? { kind: 'Place', nodes: nodes.map((name) => ({ name, task })) } : step
    }),
    found: /knows nothing of|still there/u,
  },
  'an intent without its effect': { mutation: { withoutEffect: 'Place' }, found: /has not finished/u },
  'an end is acknowledged before it is recorded': {
    mutation: {
      step: (step, world) => {
        const nodes = world.jobs.filter(([, { state, hasDone }]) => state === 'Ended' && hasDone).map(([id]) => nodeIn(id))
        return step.kind === 'Append' && step.what === 'end' ? { kind: 'Acknowledge', nodes } : step
      },
    },
    found: /is lost/u,
  },
  'an end is recorded twice': {
    mutation: onAppend((step) => ({
      ...step,
      entries: step.entries.flatMap((entry): readonly RunEntry[] => (entry.kind === 'Ended' ? [entry, entry] : [entry])),
    })),
    found: /two ends/u,
  },
  'an end is not recorded at all': {
    mutation: {
      step: (step) =>
        step.kind === 'Append' && step.what === 'end'
          ? { ...step, entries: step.entries.filter((entry) => entry.kind !== 'Ended' || entry.outcome === 'Omitted') }
          : step,
    },
    found: /does not come to rest|has not finished|is lost/u,
  },
  'a stop without taking back': { mutation: { withoutEffect: 'Remove' }, found: /can still run/u, scenario: racingWithCancel },
  'a stopped node ends before its job is taken back': {
    mutation: onAppend((step) => ({
      ...step,
      entries: step.entries.flatMap((entry): readonly RunEntry[] =>
        entry.kind === 'Stopping'
          ? [entry, { v: 1, kind: 'Ended', atMs: entry.atMs, node: entry.node, outcome: entry.why, reason: 'early' }]
          : [entry],
      ),
    })),
    found: /can still run/u,
    scenario: racingWithCancel,
  },
  'a failure does not stop the run': {
    mutation: onAppend((step) => ({
      ...step,
      entries: step.entries.map((entry): RunEntry =>
        entry.kind === 'Ended' && entry.reason === 'RunStopped' ? { v: 1, kind: 'Started', atMs: entry.atMs, node: entry.node } : entry,
      ),
    })),
    scenario: 'a failure, racing with the nodes that it stops',
    found: /should be|after the end of the run/u,
  },
  'a run is archived before its last end is recorded': {
    mutation: {
      archivesEarly(log) {
        const started = entriesOf(log).find(({ kind }) => kind === 'Started')
        const token = tokenOf(log)
        return started === undefined || token === 'none' || log.length > 2
          ? undefined
          : { v: 1, kind: 'Archived', atMs: 0, token, outcome: 'Succeeded', reason: 'early', message: '' }
      },
    },
    scenario: 'archived after its end',
    found: /is lost|knows nothing of|should be|has not finished/u,
  },
  'what is deleted is forgotten without a word of it before': {
    mutation: onAppend((step, world) => {
      if (step.what !== 'forget') return step
      const nodes = endsOf(world, world.log, {}).map(({ node }) => node)
      return nodes.length > 0 ? { kind: 'Acknowledge', nodes } : step
    }),
    scenario: 'deleted and recreated',
    found: /is lost|does not come to rest|has not finished/u,
  },
  'the log goes before what it knows of': {
    mutation: { step: (step, world) => (step.kind === 'Remove' && world.edits > 0 ? { kind: 'Delete' } : step) },
    scenario: 'deleted, racing with starts and ends',
    found: /its run is forgotten/u,
  },
}

describe('a planted mistake is found', () => {
  it.each(Object.entries(mutations))('%s', (_, { mutation, found, scenario }) => {
    let problem: string | undefined
    for (const each of scenarios) if (scenario === undefined || each.name === scenario) problem ??= explore(each, mutation).problem
    expect(problem).toMatch(found)
  })
})
