import { stringify } from 'yaml'
import { buildCrd, kinds, maxCrdBytes } from '../../src/api/index.ts'
import { metricGroups } from '../../src/observability/index.ts'
import { chartReadme } from './chart-readme.ts'
import { metricsPage } from './metrics-page.ts'
import { pictures, picturesFolder } from './pictures.ts'
import { referencePage } from './reference-page.ts'

/** Folders in which every file is generated, so that a file that nothing generates is a leftover. */
export const generatedFolders = ['crds', 'charts/taskmill/templates/crds', picturesFolder] as const

const notice = '# Generated from src/api by `make generate`. Do not edit.\n'

/** Path from the root of the project → content. `read` reads what is written by hand, by path. */
export async function generatedFiles(read: (path: string) => Promise<string>): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const kind of kinds) {
    const crd = buildCrd(kind)
    const name = `${crd.metadata.name}.yaml`
    const text = notice + yaml(crd)
    if (Buffer.byteLength(text) >= maxCrdBytes)
      throw new Error(`${name} has ${Buffer.byteLength(text)} bytes, at most ${maxCrdBytes - 1} can be applied`)
    files.set(`crds/${name}`, text)
    files.set(`charts/taskmill/templates/crds/${name}`, chartTemplate(crd))
  }
  files.set('docs/api.md', referencePage(kinds))
  files.set('docs/metrics.md', metricsPage(metricGroups))
  for (const [path, svg] of pictures()) files.set(path, svg)
  const [readme, values] = await Promise.all([read('charts/taskmill/README.md'), read('charts/taskmill/values.yaml')])
  files.set('charts/taskmill/README.md', chartReadme(readme, values))
  return files
}

/** The chart installs CRDs as templates, so that an upgrade of the chart upgrades them, and keeps them when it goes. */
function chartTemplate({ metadata, spec, ...type }: ReturnType<typeof buildCrd>): string {
  const body = yaml({ spec })
  if (body.includes('{{')) throw new Error(`${metadata.name}: helm would take {{ for a template`)
  return [
    '{{- if .Values.crds.install }}',
    notice.trimEnd(),
    `${yaml(type)}metadata:`,
    `  name: ${metadata.name}`,
    '  labels:',
    '    {{- include "taskmill.labels" . | nindent 4 }}',
    '  {{- if .Values.crds.keep }}',
    '  annotations:',
    '    helm.sh/resource-policy: keep',
    '  {{- end }}',
    `${body}{{- end }}`,
    '',
  ].join('\n')
}

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 120, aliasDuplicateObjects: false, version: '1.1' })
}
