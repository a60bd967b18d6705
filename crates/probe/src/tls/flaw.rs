//! RSA keys whose public half gives the private one away.

use x509_parser::num_bigint::BigUint;

/// What is wrong with a key, if it shows.
pub(super) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Option<String> {
    let [modulus, exponent] = [modulus, exponent].map(BigUint::from_bytes_be);
    if exponent < BigUint::from(3_u8) || !exponent.bit(0) {
        return Some(format!("its exponent is {exponent}"));
    }
    if let Some(factor) = primes(2000).find(|prime| remainder(&modulus, *prime) == 0) {
        return Some(format!("its modulus is divisible by {factor}"));
    }
    if has_mark_of_roca(&modulus) {
        return Some("it was made by a chip with CVE-2017-15361 (ROCA)".to_owned());
    }
    factors_are_close(&modulus).then(|| "its two primes are close to each other (CVE-2022-26320)".to_owned())
}

/// Moduli of these chips are powers of 65537 modulo each small prime (Nemec et al., CCS 2017); of others one in 2^27 is.
fn has_mark_of_roca(modulus: &BigUint) -> bool {
    primes(168).filter(|prime| *prime > 2).all(|prime| {
        let wanted = remainder(modulus, prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * (65537 % prime) % prime));
        powers.take(usize::try_from(prime).unwrap_or(0)).any(|power| power == wanted)
    })
}

/// Fermat: n = a² - b² with a just above the root of n.
fn factors_are_close(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt();
    if &a * &a == *modulus {
        return true;
    }
    (0..100).any(|_| {
        a += 1_u8;
        let square = &a * &a - modulus;
        let b = square.sqrt();
        &b * &b == square
    })
}

fn remainder(number: &BigUint, prime: u64) -> u64 {
    (number % prime).iter_u64_digits().next().unwrap_or(0)
}

/// The primes below a bound.
fn primes(bound: u64) -> impl Iterator<Item = u64> {
    (2..bound).filter(|number| {
        (2..*number).take_while(|divisor| divisor * divisor <= *number).all(|divisor| number % divisor != 0)
    })
}

#[cfg(test)]
mod tests {
    use x509_parser::num_bigint::BigUint;

    use super::of_rsa;

    fn flaw(modulus: &BigUint) -> Option<String> {
        of_rsa(&modulus.to_bytes_be(), &[1, 0, 1])
    }

    /// 2^521 - 1 and 2^607 - 1 are primes.
    fn mersenne(power: u32) -> BigUint {
        (BigUint::from(1_u8) << power) - 1_u8
    }

    #[test]
    fn weak_keys_show() {
        let far = mersenne(521) * mersenne(607);
        assert_eq!(flaw(&far), None);
        assert!(flaw(&(&far * 1999_u16)).is_some_and(|flaw| flaw.contains("1999")));
        // 2^107 - 1 with itself, and two primes that are 2 apart.
        assert!(flaw(&(mersenne(107) * mersenne(107))).is_some_and(|flaw| flaw.contains("close")));
        let twins = BigUint::from(1_000_000_007_u64) * BigUint::from(1_000_000_009_u64);
        assert!(flaw(&twins).is_some_and(|flaw| flaw.contains("close")));
        assert!(of_rsa(&far.to_bytes_be(), &[1]).is_some());
    }

    #[test]
    fn the_mark_of_roca_shows() {
        // A power of 65537 modulo the product of the small primes has the mark by construction.
        let product = super::primes(168).skip(1).fold(BigUint::from(1_u8), |product, prime| product * prime);
        let marked =
            BigUint::from(65537_u32).modpow(&BigUint::from(123_456_789_u32), &product) + &product * 2_u8;
        assert!(super::has_mark_of_roca(&marked));
        assert!(!super::has_mark_of_roca(&(mersenne(521) * mersenne(607))));
    }
}
