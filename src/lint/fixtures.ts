/** Small manifests, and what lint says about them as people read it. */
import { lint } from './lint.ts'
import { renderReport } from './report.ts'

type Files = Readonly<Record<string, string>>

/** Findings as people read them. Files are named by a person, unless they are in a folder. */
export function said(files: string | Files, options: { readonly isComplete?: boolean; readonly nowMs?: number } = {}): readonly string[] {
  const all = typeof files === 'string' ? { 'a.yaml': files } : files
  const sources = Object.entries(all).map(([path, text]) => ({ path, text, isNamed: !path.includes('/') }))
  const lines = renderReport(lint(sources, { isComplete: false, ...options }), 'text', { isColoured: false })
  return lines.split('\n').slice(0, -1)
}

export const broker = (name = 'default', more = '') =>
  `apiVersion: taskmill.dev/v1alpha1\nkind: TaskBroker\nmetadata: {name: ${name}${more}}\nspec: {standalone: {address: "redis:6379"}}\n`
export const pool = (queue: string, more = '') => `apiVersion: taskmill.dev/v1alpha1
kind: WorkerPool
metadata: {name: ${queue}${more}}
spec:
  queues: [{name: ${queue}}]
  template: {spec: {containers: [{name: worker, image: acme/worker}]}}
`
export const schedule = (spec: string, name = 'nightly') =>
  `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: ${name}}\nspec:\n${spec}`
export const task = '  task: {type: backup, queue: files}\n'
