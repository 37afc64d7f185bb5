/**
 * The programs of the native cluster, built from the Go modules below `binaries/` into the cache.
 * The Go build cache makes an interrupted build go on where it stopped.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { cached, cacheFolder, hashOf } from './cache.ts'
import { run } from './command.ts'
import type { Progress } from './progress.ts'

export const kubernetesVersion = 'v1.34.4'

const versionPackage = 'k8s.io/component-base/version'

type Module = {
  readonly name: string
  readonly packages: readonly string[]
  readonly expectedSeconds: number
  readonly ldflags?: string
  readonly output?: string
}

const kubernetes: Module = {
  name: 'kubernetes',
  packages: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'].map(
    (command) => `k8s.io/kubernetes/cmd/${command}`,
  ),
  expectedSeconds: 600,
  // Without these the server calls itself v0.0.0-master, which clients refuse.
  ldflags: `-X ${versionPackage}.gitVersion=${kubernetesVersion} -X ${versionPackage}.gitMajor=1 -X ${versionPackage}.gitMinor=34`,
}
const small: readonly Module[] = [
  { name: 'pause', packages: ['.'], expectedSeconds: 10, output: 'pause' },
  { name: 'etcd', packages: ['go.etcd.io/etcd/server/v3'], expectedSeconds: 60, output: 'etcd' },
  { name: 'coredns', packages: ['.'], expectedSeconds: 120, output: 'coredns' },
]

export type Binaries = {
  readonly apiServer: string
  readonly controllerManager: string
  readonly scheduler: string
  readonly kubelet: string
  readonly kubeProxy: string
  readonly etcd: string
  readonly coredns: string
  readonly pause: string
}

/** Paths of the programs, after building those that the cache does not hold: two builds at a time. */
export async function ensureBinaries(progress: Progress): Promise<Binaries> {
  const [big, [pause, etcd, coredns]] = await Promise.all([ensureModule(kubernetes, progress), ensureInTurn(small, progress)])
  return {
    apiServer: join(big, 'kube-apiserver'),
    controllerManager: join(big, 'kube-controller-manager'),
    scheduler: join(big, 'kube-scheduler'),
    kubelet: join(big, 'kubelet'),
    kubeProxy: join(big, 'kube-proxy'),
    etcd: join(etcd ?? '', 'etcd'),
    coredns: join(coredns ?? '', 'coredns'),
    pause: join(pause ?? '', 'pause'),
  }
}

async function ensureInTurn(modules: readonly Module[], progress: Progress): Promise<string[]> {
  const folders: string[] = []
  for (const module of modules) folders.push(await ensureModule(module, progress))
  return folders
}

async function ensureModule(module: Module, progress: Progress): Promise<string> {
  const source = join(import.meta.dirname, 'binaries', module.name)
  const key = await hashOf({ paths: [source], texts: [module.packages.join(' '), module.ldflags ?? '', process.arch] })
  const folder = join(cacheFolder(), 'bin', `${module.name}-${key}`)
  return cached(folder, (temporary) =>
    progress.step(`building ${module.name} from source`, { expectedSeconds: module.expectedSeconds }, async (report) => {
      await mkdir(temporary, { recursive: true })
      await run(goCommand(), buildArguments(module, temporary), {
        cwd: source,
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' },
        onLine: (line) => report.note(noteOf(line)),
      })
    }),
  )
}

/** `go build -v` names each module that it fetches and each package that it compiles. */
function noteOf(line: string): string {
  return line.startsWith('go: downloading ') ? line.replace('go: downloading ', 'fetching ') : `compiling ${line}`
}

function buildArguments(module: Module, folder: string): string[] {
  const output = module.output === undefined ? `${folder}/` : join(folder, module.output)
  return ['build', '-v', '-trimpath', '-ldflags', `-s -w ${module.ldflags ?? ''}`.trim(), '-o', output, ...module.packages]
}

/** The shell's Go, or the one in its usual place where the PATH lacks it. */
function goCommand(): string {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'go')))
  return onPath ? 'go' : '/usr/local/go/bin/go'
}
