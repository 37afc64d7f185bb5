import { expect, it } from 'vitest'
import { createRun, foldRun, notePostponed, type RunPlan } from '../../graph/index.ts'
import { jobWhereabouts } from './whereabouts.ts'

const template = { spec: { template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1' }] } } } }
const plan: RunPlan = {
  name: 'x',
  nodes: [{ name: 'a', dependsOn: [], required: true, job: template }],
  finally: [],
  onNodeFailure: 'Stop',
  parameters: {},
}

const started = () => {
  const run = createRun()
  foldRun(
    [JSON.stringify({ v: 1, kind: 'Begun', atMs: 0, token: 't', plan }), JSON.stringify({ v: 1, kind: 'Started', atMs: 0, node: 'a' })],
    run,
  )
  return run
}
const doing = { node: 'a', job: 'x-a-1', isUp: false, warnings: [] }

it.each([
  ['that runs', { ...doing, isUp: true }, 'running', 'Job "x-a-1" is running'],
  ['that starts', doing, 'starting', 'Job "x-a-1" is starting'],
  [
    'in trouble, after a warning',
    { ...doing, reason: 'no pod', words: 'it has no pod', warnings: ['would violate PodSecurity'] },
    'failing (no pod)',
    'Job "x-a-1": it has no pod. The API server warns: would violate PodSecurity',
  ],
])('a Job %s', (_, job, words, detail) => {
  const isStuck = 'reason' in job ? { isStuck: true } : {}
  expect(jobWhereabouts(started(), { jobs: [job] }).get('a')).toEqual({ words, detail, ...isStuck })
})

it('one that the API server does not take', () => {
  const run = started()
  notePostponed(run, 'a', 'exceeded quota', 0)
  expect(jobWhereabouts(run, { jobs: [] }).get('a')).toEqual({
    words: 'not created (1 try)',
    isStuck: true,
    detail: 'the API server refuses its Job for now, and the operator retries: exceeded quota',
  })
})
