import { expect, it } from 'vitest'
import type { JobTemplate } from '../../api/index.ts'
import { applyEntry, createRun, nextRunStep, notePlaced, noteRemoved } from '../../graph/index.ts'
import type { Jobs } from '../jobs/index.ts'
import { createNodeJobs } from './node-jobs.ts'

const job: JobTemplate = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'a:1' }] } } } }
const plan = {
  name: 'report',
  nodes: [{ name: 'one', dependsOn: [], required: true, job }],
  finally: [],
  onNodeFailure: 'Stop' as const,
  parameters: {},
}

it('the node of a Job that had ended when it was to be stopped, and is gone before its end was seen, counts as stopped', async () => {
  const jobs = { look: async () => ({ kind: 'Absent' }), startedBy: () => [] } as unknown as Jobs
  const nodes = createNodeJobs({ jobs, run: 'default/acme/run/report', namespace: 'acme', execution: 'report' })
  const run = createRun()
  applyEntry(run, { v: 1, kind: 'Begun', atMs: 0, token: 't', plan })
  applyEntry(run, { v: 1, kind: 'Started', atMs: 1, node: 'one' })
  notePlaced(run, ['one'])
  applyEntry(run, { v: 1, kind: 'Cancelling', atMs: 2 })
  applyEntry(run, { v: 1, kind: 'Stopping', atMs: 2, node: 'one', why: 'Cancelled' })
  noteRemoved(run, 'one', 'Ended')
  const knowledge = { desired: 'Cancelled', begin: undefined, ended: [] } as unknown as Parameters<typeof nextRunStep>[1]
  expect(nextRunStep(run, knowledge, 5)).toMatchObject({ kind: 'Wait' })
  expect((await nodes.look(run, { signal: new AbortController().signal })).ends).toEqual([])
  expect(nextRunStep(run, knowledge, 5)).toMatchObject({
    kind: 'Append',
    entries: [{ kind: 'Ended', node: 'one', reason: 'RunCancelled' }, { kind: 'Finished' }],
  })
})
