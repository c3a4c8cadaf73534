import HTTPServer
import Loop
import Bytes
import Wire

extension Service {
  /// All routes.
  func router() -> Router {
    var router = Router()
    let limit = configuration.maximumBody
    let executionRoutes = ExecutionRoutes(
      contexts: contexts, executions: executions, bodyLimit: limit, logger: logger)
    let contextRoutes = ContextRoutes(
      contexts: contexts, executions: executions, workspace: configuration.workspace, bodyLimit: limit)
    let health = HealthRoute(contexts: contexts, executions: executions)
    router.on("GET", "\(HealthRoute.path)", health.respond)
    if let access, access.isClaimable {
      router.on("POST", "\(ClaimRoute.path)", ClaimRoute(access: access, logger: logger).respond)
    }
    executionRoutes.add(to: &router)
    router.on("POST", "/contexts", contextRoutes.create)
    router.on("GET", "/contexts", contextRoutes.list)
    router.on("GET", "/contexts/{id}", contextRoutes.show)
    router.on("DELETE", "/contexts/{id}", contextRoutes.delete)
    router.on("POST", "/contexts/{id}/restart", contextRoutes.restart)
    router.on("POST", "/contexts/{id}/interrupt", contextRoutes.interrupt)
    FileRoutes(workspace).add(to: &router)
    return router
  }
}
