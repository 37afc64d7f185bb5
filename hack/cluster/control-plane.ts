/**
 * A control plane without a node, for integration tests: etcd, a real API server and (unless told
 * otherwise) the controller-manager, on free ports and in a temporary folder, as many at once as
 * wanted. Objects are real, admission, CEL, garbage collection, Deployments → ReplicaSets → Pods too;
 * pods stay Pending. Everything ends with the process that started it.
 */
import { randomUUID } from 'node:crypto'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { apiRequest, isReady, waitUntil } from './api-request.ts'
import type { ApiAccess, ApiReply } from './api-request.ts'
import { ensureBinaries } from './binaries.ts'
import { logTail, startChildServer } from './child-server.ts'
import type { ChildServer } from './child-server.ts'
import { apiServerArguments, apiServiceAddress, controllerManagerArguments, etcdArguments } from './components.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { apiServerNames, createAuthority } from './pki.ts'
import { freePorts } from './ports.ts'
import { createProgress } from './progress.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type ControlPlaneOptions = {
  /** Garbage collection, namespaces, Deployments, ReplicaSets, Jobs. Default true. */
  readonly controllerManager?: boolean
}

/** Less garbage collection: a fifth of the processor time of the API server, for memory that lasts only as long as the tests. */
const goEnvironment = { ...process.env, GOGC: '400' }

/** What one can do with a cluster without touching its servers. */
export type Cluster = ApiAccess & {
  /** Path of a kubeconfig for the cluster's administrator. */
  readonly kubeconfig: string
  /** A folder with what a pod of the administrator's would have mounted: `ca.crt`, `token` and `namespace`. */
  readonly podFolder: string
  /** One raw request as the administrator. */
  request(method: string, path: string, body?: unknown): Promise<ApiReply>
  /** A bearer token for a service account that exists. */
  serviceAccountToken(namespace: string, name: string): Promise<string>
}

export type ControlPlane = AsyncDisposable &
  Cluster & {
    readonly folder: string
    /** SIGKILL: connections break, the port refuses. */
    kill9ApiServer(): Promise<void>
    /** SIGTERM, and SIGKILL when clients hold it open for 3 s: the port refuses. */
    stopApiServer(): Promise<void>
    /** Starts it on the same port and data and waits until it is ready; kills it before when it runs. */
    restartApiServer(): Promise<void>
    /** SIGKILL: no Job, CronJob or Deployment moves until it is started again, which takes it seconds. */
    killControllerManager(): Promise<void>
    startControllerManager(): void
    /** SIGSTOP and SIGCONT: connections stay open and nothing answers. */
    freezeApiServer(): void
    thawApiServer(): void
    stop(): Promise<void>
  }

/** The administrator's requests to a cluster that runs. */
export function controlPlaneAccess(access: ApiAccess & Pick<Cluster, 'kubeconfig' | 'podFolder'>): Cluster {
  return {
    ...access,
    request: (method, path, body) => apiRequest(access, method, path, body),
    serviceAccountToken: async (namespace, name) => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
      const reply = await apiRequest(access, 'POST', path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} })
      if (reply.status >= 300) throw new Error(`no token for ${namespace}/${name}: ${reply.text}`)
      return (JSON.parse(reply.text) as { status: { token: string } }).status.token
    },
  }
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureBinaries(createProgress())
  const folder = await temporaryFolder('taskmill-control-plane-')
  const children: ChildServer[] = []
  const launch = (command: string, args: readonly string[], name: string): ChildServer => {
    const child = startChildServer(command, args, join(folder, `${name}.log`), goEnvironment)
    children.push(child)
    return child
  }
  async function stop(): Promise<void> {
    // Nothing here is worth an orderly end: the folder goes with it.
    await Promise.all(children.map((child) => child.kill()))
    await rm(folder, { recursive: true, force: true })
  }

  try {
    const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3)
    const server = `https://127.0.0.1:${port}`
    const dataFolder = join(folder, 'etcd')
    await mkdir(dataFolder, { mode: 0o700 })
    launch(binaries.etcd, etcdArguments({ dataFolder, clientPort: etcdPort, peerPort }), 'etcd')

    const authority = await createAuthority(join(folder, 'pki'))
    const [serving, admin, manager, serviceAccount] = await Promise.all([
      authority.issue('api-server', '/CN=kube-apiserver', apiServerNames(['127.0.0.1', apiServiceAddress])),
      authority.issue('admin', '/O=system:masters/CN=admin'),
      authority.issue('controller-manager', '/CN=system:kube-controller-manager'),
      authority.issue('service-account', '/CN=service-account'),
    ])
    const [podFolder, tokens, token] = [join(folder, 'pod'), join(folder, 'tokens'), randomUUID()]
    await mkdir(podFolder)
    await Promise.all([
      writeFile(tokens, `${token},admin-pod,admin-pod,"system:masters"\n`),
      writeFile(join(podFolder, 'token'), token),
      writeFile(join(podFolder, 'namespace'), 'default'),
      cp(authority.files.cert, join(podFolder, 'ca.crt')),
    ])
    const apiArguments = apiServerArguments({
      etcdPort,
      port,
      bindAddress: '127.0.0.1',
      advertiseAddress: undefined,
      authority: authority.files,
      serving,
      kubeletClient: admin,
      serviceAccount,
      tokens,
    })
    const [ca, cert, key] = await Promise.all([authority.files.cert, admin.cert, admin.key].map((file) => readFile(file, 'utf8')))
    const access: ApiAccess = { server, ca: ca ?? '', cert: cert ?? '', key: key ?? '' }
    const kubeconfig = await writeKubeconfig(join(folder, 'kubeconfig'), {
      name: 'taskmill-test',
      server,
      authority: authority.files,
      client: admin,
    })

    async function startApiServer(): Promise<ChildServer> {
      const child = launch(binaries.apiServer, apiArguments, 'api-server')
      await waitUntil('the API server', 60_000, async () => !child.running || (await isReady(access)))
      if (!child.running)
        throw new Error(`the API server ended:
    ${await logTail(join(folder, 'api-server.log'))}`)
      return child
    }

    let apiServer = await startApiServer()
    let controllerManager: ChildServer | undefined
    let startControllerManager: () => void = () => undefined
    if (options.controllerManager !== false) {
      const file = await writeKubeconfig(join(folder, 'controller-manager.kubeconfig'), {
        name: 'controller-manager',
        server,
        authority: authority.files,
        client: manager,
      })
      const args = controllerManagerArguments({ kubeconfig: file, authority: authority.files, serviceAccount })
      startControllerManager = () => void (controllerManager = launch(binaries.controllerManager, args, 'controller-manager'))
      startControllerManager()
      await waitUntil(
        'the default service account',
        30_000,
        async () => (await apiRequest(access, 'GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200,
      )
    }
    return {
      ...controlPlaneAccess({ ...access, kubeconfig, podFolder }),
      folder,
      kill9ApiServer: () => apiServer.kill(),
      stopApiServer: () => apiServer.stop(3000),
      restartApiServer: async () => {
        await apiServer.kill()
        apiServer = await startApiServer()
      },
      killControllerManager: async () => controllerManager?.kill(),
      startControllerManager,
      freezeApiServer: () => apiServer.freeze(),
      thawApiServer: () => apiServer.thaw(),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (cause) {
    await stop()
    throw cause
  }
}
