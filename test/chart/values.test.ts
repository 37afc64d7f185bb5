import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chartValues } from '../../hack/generate/chart-readme.ts'
import { chartFolder, tryRenderChart } from './helm.ts'

describe('wrong values', () => {
  it.each([
    ['operator.replicas=two', '/operator/replicas'],
    ['operator.replicas=-1', '/operator/replicas'],
    ['operator.replica=2', 'replica'],
    ['operator.logLevel=loud', '/operator/logLevel'],
    ['operator.watchNamespaces=mail', '/operator/watchNamespaces'],
    ['operator.watchNamespaces={Mail}', '/operator/watchNamespaces/0'],
    ['operator.resources.limits.memory=lots', '/operator/resources/limits/memory'],
    ['operator.podLabels.on=true', '/operator/podLabels/on'],
    ['installation=Blue', '/installation'],
    ['installation=a/b', '/installation'],
    ['installation=', '/installation'],
    ['image.tag=a b', '/image/tag'],
    ['image.tag=20261123', '/image/tag'],
    ['image.digest=sha256:12', '/image/digest'],
    ['image.pullPolicy=Sometimes', '/image/pullPolicy'],
    ['operator.topologySpreadConstraints={zone}', '/operator/topologySpreadConstraints/0'],
    ['networkPolicy.ingressFrom={monitoring}', '/networkPolicy/ingressFrom/0'],
    ['networkPolicy.ingressFrom[0].namespace=monitoring', '/networkPolicy/ingressFrom/0'],
    ['networkPolicy.egress[0].from=all', '/networkPolicy/egress/0'],
    ['serviceMonitor.interval=30', '/serviceMonitor/interval'],
    ['serviceMonitor.labels.release=1', '/serviceMonitor/labels/release'],
    ['metrics.detail=pool', '/metrics/detail'],
    ['metrics.prometheusRule.enabled=maybe', '/metrics/prometheusRule/enabled'],
    ['metrics.prometheusRule.runbookURL=', '/metrics/prometheusRule/runbookURL'],
    ['metrics.dashboard.label=x', 'label'],
    ['imagePullSecrets={pull}', '/imagePullSecrets/0'],
    ['crds.install=maybe', '/crds/install'],
    ['redis.enabled=yes', '/redis/enabled'],
    ['redis.persistence.size=big', '/redis/persistence/size'],
    ['serviceAccount.name=Not A Name', '/serviceAccount/name'],
    ['fullnameOverride=-x', '/fullnameOverride'],
    ['rediss.enabled=true', 'rediss'],
  ])('%s is refused and named', async (value, field) => {
    const { code, stderr } = await tryRenderChart(value)
    expect(code).not.toBe(0)
    expect(stderr).toContain(field)
  })

  it.each([
    'global.anything=1',
    'operator.replicas=0',
    'installation=blue',
    'operator.resources.limits.cpu=2',
    'image.registry=registry.example.com:5000/mirror',
    'image.tag=7',
    'image.tag=7.2',
  ])('%s is right', async (value) => {
    expect(await tryRenderChart(value)).toMatchObject({ code: 0 })
  })
})

describe('values.schema.json', () => {
  it('knows exactly the values that values.yaml documents, and lets nothing else in', async () => {
    const schema: RootSchema = JSON.parse(await readFile(join(chartFolder, 'values.schema.json'), 'utf8'))
    const values = await readFile(join(chartFolder, 'values.yaml'), 'utf8')
    const documented = chartValues(values).map(({ path }) => path)
    const known = leavesOf(schema, schema, '', new Set(documented)).filter((path) => path !== 'global')
    expect(known.toSorted()).toEqual(documented.toSorted())
  })

  it('documents no value that no template reads', async () => {
    const names = await readdir(join(chartFolder, 'templates'), { recursive: true, withFileTypes: true })
    const files = names.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8'))
    const templates = (await Promise.all(files)).join('\n')
    const values = chartValues(await readFile(join(chartFolder, 'values.yaml'), 'utf8'))
    // Both images go through one helper, which calls what it got $image.
    const read = (path: string): boolean => new RegExp(`(\\.Values\\.${path}|\\$${path.replace('redis.', '')})\\b`, 'u').test(templates)
    expect(values.map(({ path }) => path).filter((path) => !read(path))).toEqual([])
  })
})

type Schema = { readonly $ref?: string; readonly properties?: Record<string, Schema>; readonly additionalProperties?: unknown }

type RootSchema = Schema & { readonly definitions: Record<string, Schema> }

/** Paths of the schema's leaves; a documented path is one, whatever the schema knows below it. */
function leavesOf(root: RootSchema, schema: Schema, path: string, documented: ReadonlySet<string>): string[] {
  const own = schema.$ref === undefined ? schema : (root.definitions[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  if (own.properties === undefined || documented.has(path)) return [path]
  expect([path, own.additionalProperties]).toEqual([path, false])
  return Object.entries(own.properties).flatMap(([name, child]) =>
    leavesOf(root, child, path === '' ? name : `${path}.${name}`, documented),
  )
}
