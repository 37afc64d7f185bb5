/** The table of rights in docs/security.md is what people judge the operator by, so it is held against the roles that the chart renders. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Rendered, renderChart } from './helm.ts'

const operator = 'taskmill-operator'
/** Of `renderChart`. */
const releaseNamespace = 'tasks'

it.each([[[]], [['operator.watchNamespaces={mail}']]])('the table of rights is what the chart grants (%j)', async (values) => {
  const roles = (await renderChart(...values)).filter(({ kind, metadata }) => kind.endsWith('Role') && metadata.name.startsWith(operator))
  const text = await readFile(join(import.meta.dirname, '../../docs/security.md'), 'utf8')
  expect(rightsOfTable(text).toSorted()).toEqual(roles.flatMap(rightsOfRole).toSorted())
})

it.each([
  [[], 'ClusterRole', undefined, 'kube-system'],
  [['operator.watchNamespaces={mail}'], 'Role', releaseNamespace, releaseNamespace],
])('the operator knows its cluster by a namespace that it may read (%j)', async (values, kind, namespace, name) => {
  const role = (await renderChart(...values)).find((object) => object.kind === kind && object.metadata.name === `${operator}-identity`)
  expect(role).toMatchObject({ rules: [{ apiGroups: [''], resources: ['namespaces'], resourceNames: [name], verbs: ['get'] }] })
  expect(role?.metadata.namespace).toBe(namespace)
})

/** One line for each role, group, resource, name and verb. */
function rightsOfRole({ metadata, rules = [] }: Rendered): readonly string[] {
  const part = metadata.name.slice(operator.length + 1)
  return rules.flatMap(({ apiGroups, resources, resourceNames = [''], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames
          .map(asInTable)
          .flatMap((name) => verbs.map((verb) => [part, group, resource, name, verb].join(' ').replaceAll(/ +/gu, ' '))),
      ),
    ),
  )
}

/** Which namespace stands for the cluster depends on the mode; the table names the one of the default. */
function asInTable(name: string): string {
  return name === releaseNamespace ? 'kube-system' : name
}

/** Rows of `role | group | resource, and name | verbs | why`; what counts stands in backticks, and no right is without a reason. */
function rightsOfTable(text: string): readonly string[] {
  const table = text.split('<!-- rights -->')[1]?.split('<!-- end of rights -->')[0] ?? ''
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  return rows.flatMap((row) => {
    const [role = '', group = '', resource = '', verbs = '', why = ''] = row.split('|').slice(1)
    expect([row, why.trim()]).not.toEqual([row, ''])
    return wordsOf(verbs).map((verb) => [...wordsOf(role), ...wordsOf(group), ...wordsOf(resource), verb].join(' '))
  })
}

function wordsOf(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/gu)].map(([, word = '']) => word)
}
