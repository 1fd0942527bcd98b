//! Method and path to whatever should be there.

use fyke_codecs::http1::Method::{Delete, Get, Head, Options, Patch, Post, Put};
use fyke_codecs::http1::router::{Found, RouteError, Router};
use fyke_codecs::http1::{Method, Status};

fn router(routes: &[(Method, &'static str)]) -> Router<&'static str> {
    let mut router = Router::new();
    for (method, pattern) in routes {
        router.add(*method, pattern, *pattern).expect(pattern);
    }
    assert_eq!(router.len(), routes.len());
    router
}

/// The pattern that takes the request, and its parameters.
fn find(router: &Router<&'static str>, method: Method, path: &str) -> Option<String> {
    match router.find(method, path) {
        Found::Route { target, params } => {
            let params: Vec<_> = params
                .iter()
                .map(|(name, _)| format!("{name}={}", params.get(name).unwrap_or_default()))
                .collect();
            Some(format!("{target} {}", params.join(" ")).trim_end().to_owned())
        }
        _ => None,
    }
}

#[test]
fn fixed_before_parameters_before_tails() {
    let router = router(&[
        (Get, "/"),
        (Get, "/users"),
        (Get, "/users/"),
        (Get, "/users/me"),
        (Get, "/users/:id"),
        (Get, "/users/:id/posts/:post"),
        (Get, "/users/me/posts"),
        (Get, "/files/*path"),
        (Get, "/files/readme"),
        (Get, "/:any/x"),
    ]);
    for (path, found) in [
        ("/", Some("/")),
        ("/users", Some("/users")),
        ("/users/", Some("/users/")),
        ("/users/me", Some("/users/me")),
        ("/users/7", Some("/users/:id id=7")),
        ("/users/me/posts", Some("/users/me/posts")),
        // What begins like a fixed route may still be a parameter's.
        ("/users/me/posts/9", Some("/users/:id/posts/:post id=me post=9")),
        ("/users/7/posts/8", Some("/users/:id/posts/:post id=7 post=8")),
        ("/users/7/posts", None),
        ("/users/7/posts/", None),
        ("/users//posts/8", None),
        ("/files", None),
        ("/files/", Some("/files/*path path=")),
        ("/files/a", Some("/files/*path path=a")),
        ("/files/a/b/../c", Some("/files/*path path=a/b/../c")),
        ("/files/readme", Some("/files/readme")),
        ("/files/readme/x", Some("/files/*path path=readme/x")),
        ("/users/x", Some("/users/:id id=x")),
        ("/other/x", Some("/:any/x any=other")),
        ("/other", None),
        ("//", None),
        ("", None),
        ("users", None),
        // RFC 3986 section 6.2.2.2: an escape of an ordinary character is that character.
        ("/%75sers/me", Some("/users/me")),
        ("/users/a%2Fb", Some("/users/:id id=a/b")),
        ("/users%2Fme", None),
        ("/users/%C3%A4%ff", Some("/users/:id id=\u{e4}\u{fffd}")),
    ] {
        assert_eq!(find(&router, Get, path).as_deref(), found, "{path}");
    }
}

#[test]
fn methods() {
    let router = router(&[
        (Get, "/a"),
        (Post, "/a"),
        (Delete, "/a/:id"),
        (Patch, "/a/*rest"),
        (Put, "/put"),
        (Head, "/own"),
        (Get, "/own"),
        (Options, "/opt"),
    ]);
    assert_eq!(find(&router, Head, "/a").as_deref(), Some("/a"));
    assert_eq!(find(&router, Post, "/a").as_deref(), Some("/a"));
    assert_eq!(find(&router, Options, "/opt").as_deref(), Some("/opt"));
    // Another route of the path may have the method that the first one lacks.
    assert_eq!(find(&router, Patch, "/a/7").as_deref(), Some("/a/*rest rest=7"));
    for (method, path, allow) in [
        (Put, "/a", "GET, HEAD, POST, OPTIONS"),
        (Get, "/put", "PUT, OPTIONS"),
        (Head, "/put", "PUT, OPTIONS"),
        (Get, "/a/7", "DELETE, PATCH, OPTIONS"),
    ] {
        let Found::MethodNotAllowed(found) = router.find(method, path) else {
            panic!("{method} {path}");
        };
        assert_eq!(found.to_string(), allow);
        let response = router.find(method, path).refusal().expect("no route takes it");
        assert_eq!(response.head.status(), Status::METHOD_NOT_ALLOWED);
        assert!(format!("{response:?}").contains(&format!("Allow: {allow}")), "{response:?}");
    }
    let Found::Options(allow) = router.find(Options, "/a") else { panic!("there are routes") };
    assert_eq!(allow.to_string(), "GET, HEAD, POST, OPTIONS");
    assert!(allow.contains(Head) && !allow.contains(Put));
    let Found::Options(allow) = router.find(Options, "*") else { panic!("of the whole server") };
    assert_eq!(allow.to_string(), "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
    let nothing = router.find(Get, "/nothing").refusal().expect("there is no route");
    assert_eq!(nothing.head.status(), Status::NOT_FOUND);
    let options = router.find(Options, "/a").refusal().expect("there is no route");
    assert_eq!(options.head.status(), Status::NO_CONTENT);
}

#[test]
fn patterns_are_checked() {
    let mut router = Router::new();
    for (pattern, error) in [
        ("", RouteError::Relative),
        ("a", RouteError::Relative),
        ("/:", RouteError::Nameless),
        ("/a/*", RouteError::Nameless),
        ("/:a/:a", RouteError::Repeated),
        ("/:a/*a", RouteError::Repeated),
        ("/*a/b", RouteError::BehindTail),
        ("/*a/", RouteError::BehindTail),
    ] {
        assert_eq!(router.add(Get, pattern, ()), Err(error), "{pattern}");
    }
    assert_eq!(router.add(Get, "/:a/b", ()), Ok(()));
    assert_eq!(router.add(Get, "/:other/b", ()), Err(RouteError::Taken));
    assert_eq!(router.add(Post, "/:other/b", ()), Ok(()));
    assert_eq!(router.len(), 2);
    assert!(!router.is_empty());
}

/// A path of many segments costs no more than the routes that could take it.
#[test]
fn long_paths_and_many_segments() {
    let router = router(&[(Get, "/:a/:b/:c/*rest"), (Get, "/x/:b/:c/y"), (Get, "/x/x/x/x")]);
    let path = "/x".repeat(8000);
    let found = find(&router, Get, &path).expect("the tail takes it");
    assert!(found.starts_with("/:a/:b/:c/*rest a=x b=x c=x rest=x/x"));
    assert_eq!(find(&router, Get, &"/".repeat(16_000)), None);
}
