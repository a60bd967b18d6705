//! A Postfix and a Dovecot of the system's packages, on ports of the loopback, with configurations of their own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use mailward_audit::facts::{MailProtocol, TlsPort};
use mailward_probe::tls::{Options, Roots, Target, probe};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// Programs without which there is nothing to probe.
const NEEDED: [&str; 3] = ["/usr/sbin/postfix", "/usr/sbin/dovecot", "/usr/bin/openssl"];

/// Says so loudly when the test cannot run.
pub(crate) fn can_run() -> bool {
    let missing: Vec<_> = NEEDED.iter().filter(|program| !Path::new(program).exists()).collect();
    let root = rustix::process::geteuid().is_root();
    if missing.is_empty() && root {
        return true;
    }
    eprintln!("SKIPPED: needs root and {NEEDED:?}; root: {root}, missing: {missing:?}");
    false
}

/// A key and a certificate, and the authority that signed it.
pub(crate) struct Pki {
    pub(crate) folder: TempDir,
}

impl Pki {
    /// A certificate of an authority of its own, for mail.example.org; `key` is what `openssl genpkey` takes.
    pub(crate) fn new(key: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let pki = Self { folder };
        pki.openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            "ca.key",
        ]);
        pki.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "ca.key",
            "-subj",
            "/CN=Test CA",
            "-days",
            "900",
            "-out",
            "ca.pem",
        ]);
        pki.openssl(&[&["genpkey", "-out", "key.pem"][..], key].concat());
        pki.openssl(&["req", "-new", "-key", "key.pem", "-subj", "/CN=mail.example.org", "-out", "csr.pem"]);
        fs::write(
            pki.path("extensions"),
            "subjectAltName=DNS:mail.example.org,DNS:imap.example.org\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
        )
        .expect("extensions");
        pki.openssl(&[
            "x509",
            "-req",
            "-in",
            "csr.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "90",
            "-sha256",
            "-extfile",
            "extensions",
            "-out",
            "cert.pem",
        ]);
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let out = Command::new("/usr/bin/openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("openssl runs");
        assert!(out.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// A server that ends with the test, with all its processes: they are a group. Asked to stop, Postfix would log that first, and wait
/// for a logger that may be gone.
pub(crate) struct Running {
    child: Child,
    _folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            _ = kill_process_group(group, Signal::KILL);
        }
        _ = self.child.wait();
    }
}

/// A port that nobody listens on and no other test was given; below those that the kernel hands out by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 500).unwrap_or(0) * 20;
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Postfix with STARTTLS on the first port and TLS from the first byte on the second.
pub(crate) fn postfix(pki: &Pki, starttls: u16, implicit: u16, settings: &str) -> Running {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    open_to_all(folder.path());
    for name in ["etc", "queue", "data"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    run("/bin/chown", &["postfix", &at("data")]);
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\ncommand_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\nsetgid_group = postdrop\n\
         myhostname = mail.example.org\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         alias_maps =\nsmtpd_tls_security_level = may\nsmtpd_tls_key_file = {}\nsmtpd_tls_cert_file = {}\n\
         maillog_file = /dev/stdout\n{settings}\n",
        at("queue"),
        at("data"),
        pki.path("key.pem").display(),
        pki.path("cert.pem").display(),
    );
    fs::write(folder.path().join("etc/main.cf"), main).expect("main.cf");
    let master = format!(
        "127.0.0.1:{starttls} inet n - n - - smtpd\n127.0.0.1:{implicit} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\nanvil unix - - n - 1 anvil\nrewrite unix - - n - - trivial-rewrite\n\
         proxymap unix - - n - - proxymap\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\nbounce unix - - n - 0 bounce\npostlog unix-dgram n - n - 1 postlogd\n"
    );
    fs::write(folder.path().join("etc/master.cf"), master).expect("master.cf");
    let child = Command::new("/usr/sbin/postfix")
        .args(["-c", &at("etc"), "start-fg"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("postfix starts");
    let running = Running { child, _folder: folder };
    wait_for(&[starttls, implicit]);
    running
}

/// Dovecot with IMAP, STARTTLS on the first port and TLS from the first byte on the second, and POP3 on the third.
pub(crate) fn dovecot(pki: &Pki, starttls: u16, implicit: u16, pop3: u16, settings: &str) -> Running {
    let folder = TempDir::new().expect("a folder");
    open_to_all(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "base_dir = {}\nstate_dir = {}\nlog_path = /dev/stderr\nprotocols = imap pop3\nlisten = 127.0.0.1\nssl = yes\n\
         ssl_cert = <{}\nssl_key = <{}\nmail_location = maildir:/nonexistent\n\
         service imap-login {{\n inet_listener imap {{\n port = {starttls}\n }}\n inet_listener imaps {{\n port = {implicit}\n ssl = yes\n }}\n}}\n\
         service pop3-login {{\n inet_listener pop3 {{\n port = {pop3}\n }}\n inet_listener pop3s {{\n port = 0\n }}\n}}\n\
         passdb {{\n driver = static\n args = nopassword=n\n}}\nuserdb {{\n driver = static\n args = uid=nobody gid=nogroup home=/nonexistent\n}}\n{settings}\n",
        at("run"),
        at("state"),
        pki.path("cert.pem").display(),
        pki.path("key.pem").display(),
    );
    fs::write(folder.path().join("dovecot.conf"), config).expect("dovecot.conf");
    let child = Command::new("/usr/sbin/dovecot")
        .args(["-F", "-c", &at("dovecot.conf")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("dovecot starts");
    let running = Running { child, _folder: folder };
    wait_for(&[starttls, implicit, pop3]);
    running
}

/// Looks at a port of the loopback as mail.example.org; the authority of the certificate is trusted.
pub(crate) fn look(pki: &Pki, service: MailProtocol, port: u16, starttls: bool, connections: u32) -> TlsPort {
    let ca = fs::read(pki.path("ca.pem")).expect("ca.pem");
    let target = Target {
        host: "mail.example.org".to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        service,
        starttls,
    };
    let mut options = Options::new(Roots::of_system().and(&ca));
    options.connections = connections;
    probe(&target, &options)
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("mode");
}

fn run(program: &str, arguments: &[&str]) {
    assert!(
        Command::new(program).args(arguments).status().expect("runs").success(),
        "{program} {arguments:?}"
    );
}

/// Returns when all of them listen; a server that does not within 20 seconds will not.
fn wait_for(ports: &[u16]) {
    let began = Instant::now();
    for port in ports {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "nobody listens on {port}");
            std::thread::yield_now();
        }
    }
    for port in ports {
        // The first greeting may take a while; afterwards all is up.
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("timeout");
        _ = BufReader::new(stream).read_line(&mut String::new());
    }
}
