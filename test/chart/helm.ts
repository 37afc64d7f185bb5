import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { run, type RunResult, tryRun } from '../../hack/cluster/command.ts'
import { createProgress } from '../../hack/cluster/progress.ts'
import { ensureTools } from '../../hack/cluster/tools.ts'

export const chartFolder = join(import.meta.dirname, '../../charts/taskmill')

export const tools = await ensureTools(createProgress())

export type Strings = { readonly [name: string]: string }

/** An object of a rendered chart, with the parts of all its kinds that tests look at. */
export type Rendered = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Strings; readonly annotations?: Strings }
  readonly spec?: {
    readonly replicas?: number
    /** Of a workload, or the labels themselves of a Service. */
    readonly selector?: Selector
    readonly podSelector?: Selector
    readonly template?: PodTemplate
    readonly ports?: readonly { readonly name: string; readonly targetPort: string }[]
    readonly endpoints?: readonly object[]
    readonly policyTypes?: readonly string[]
    readonly ingress?: readonly object[]
    readonly egress?: readonly object[]
  }
  readonly rules?: readonly Rule[]
  readonly roleRef?: { readonly kind: string; readonly name: string }
  readonly subjects?: readonly object[]
}

type Selector = { readonly matchLabels?: Strings } & { readonly [label: string]: unknown }

export type PodTemplate = {
  readonly metadata: { readonly labels: Strings }
  readonly spec: {
    readonly securityContext: object
    readonly containers: readonly Container[]
    readonly volumes?: readonly object[]
    readonly topologySpreadConstraints?: readonly object[]
  }
}

type Container = {
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly ports: readonly { readonly name: string }[]
  readonly resources: object
  readonly securityContext: object
  readonly livenessProbe: { readonly httpGet?: { readonly path: string } }
  readonly readinessProbe: { readonly httpGet?: { readonly path: string } }
}

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** The objects of the chart with these values (`--set` syntax), as `helm install taskmill -n tasks` would send them. */
export async function renderChart(...values: readonly string[]): Promise<readonly Rendered[]> {
  return parseRendered(await run(tools.helm, ['template', 'taskmill', chartFolder, '--namespace', 'tasks', ...setArguments(values)]))
}

/** What helm answers instead of rendering; the exit code is part of it. */
export async function tryRenderChart(...values: readonly string[]): Promise<RunResult> {
  return tryRun(tools.helm, ['template', 'taskmill', chartFolder, '--namespace', 'tasks', ...setArguments(values)])
}

/** What `helm install` prints at the end. */
export async function installNotes(...values: readonly string[]): Promise<string> {
  const printed = await run(tools.helm, [
    'install',
    'taskmill',
    chartFolder,
    '--namespace',
    'tasks',
    '--dry-run=client',
    ...setArguments(values),
  ])
  return printed.split('\nNOTES:\n')[1] ?? ''
}

export function setArguments(values: readonly string[]): string[] {
  return values.flatMap((value) => ['--set', value])
}

/** Throws where a document is not YAML or a key is there twice, which helm itself lets pass. */
export function parseRendered(text: string): readonly Rendered[] {
  return parseAllDocuments(text)
    .filter((document) => document.contents !== null)
    .map((document) => {
      const [error] = [...document.errors, ...document.warnings]
      if (error !== undefined) throw error
      const object: Rendered = document.toJS()
      return object
    })
}
